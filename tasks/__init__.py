"""What is done: one module a stage, and the rooms they share. Nothing here imports Prefect."""
