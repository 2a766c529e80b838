"""Write the page that `dvc plots show` fills in, with all that draws: it is blank without a network
otherwise, since DVC's own loads Vega from a public server.

`make setup` runs it: `python -m tasks.plots`.
"""

from __future__ import annotations

import vl_convert

from tasks.common import documents, paths
from tasks.common.errors import command

VEGA_LITE = "5.21"  # DVC's templates are written for 5
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>Plots</title>
<script>%s</script>
<style>body { font-family: system-ui, sans-serif; } table { border-spacing: 15px; }</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def page() -> str:
    """The page; the names in braces are DVC's, which puts the plots there."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return PAGE.replace("%s", script.replace("</script", "<\\/script"))


@command
def main() -> None:
    """Write it."""
    documents.write_text(paths.PLOTS_PAGE, page())


if __name__ == "__main__":
    main()
