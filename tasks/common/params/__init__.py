"""`params.yaml` as frozen types, one module per section.

Who reads parameters names the sections in a type of its own, so that a new key makes only those
stages run again that read its section:

    class Settings(Part):
        task: Task
        train: Train

    settings = load(Settings)
"""
