"""The picture of the README: ``python -m benchmarks.pictures CHECKPOINT PHOTOGRAPH DATA``.

A sweep of ``quickstart`` on DATA is run in a terminal (tmux) and looked at while it runs, its report is made, and the
cracks of PHOTOGRAPH are found by CHECKPOINT and measured. The three are put side by side by Chromium.
"""

import base64
import html
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from src.errors import Parser, UserError, run_command
from src.folders import user_path

COLUMNS, ROWS = 88, 24
"""Characters of the terminal."""
WIDTH, HEIGHT = 1600, 460
"""Pixels of the picture; it is twice as fine."""
PAGE = """<body style="margin:0;background:#fff;font:14px sans-serif;display:flex;gap:14px;padding:12px">
<style>figure{{margin:0;height:{height}px;display:flex;flex-direction:column;gap:8px}} figcaption{{color:#444}}
.box{{border:1px solid #ccc;border-radius:6px;overflow:hidden;flex:1}}</style>
<figure><div class=box><img src="{overlay}" style="height:100%"></div><figcaption>{about}</figcaption></figure>
<figure style="width:570px"><div class=box style="background:#0c0c0c">
<pre style="margin:8px;font:10.4px/1.36 monospace">
{terminal}</pre></div><figcaption>a sweep while it runs</figcaption></figure>
<figure style="flex:1"><div class=box><img src="{report}" style="width:100%"></div>
<figcaption>its report</figcaption></figure></body>"""


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("checkpoint", type=user_path)
    parser.add_argument("photograph", type=user_path)
    parser.add_argument("data", type=user_path, help="a data set")
    parser.add_argument("--about", default="cracks found and measured", help="what stands below the photograph")
    parser.add_argument("--seconds", type=float, default=60, help="after which the sweep is looked at (60)")
    parser.add_argument("--work", type=user_path, default=Path("outputs/pictures"), help="folder to be made anew")
    parser.add_argument("--out", type=user_path, default=Path("docs/pictures/front.png"))
    options = parser.parse_args(argv)
    if missing := [program for program in ("tmux", "chromium") if not shutil.which(program)]:
        raise UserError(f"{' and '.join(missing)} must be installed: they make the pictures.")
    work = options.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    (work / "data").mkdir(parents=True)
    (work / "data" / "mine").symlink_to(options.data.resolve())
    overlay = measured(options.checkpoint.resolve(), options.photograph.resolve(), work)
    terminal = looked_at(options.seconds, work)
    python(work, "analysis.report", "quickstart")
    report = work / "report.png"
    screenshot(work / "outputs" / "sweeps" / "quickstart" / "report" / "report.html", report, 1150, 950)
    page = PAGE.format(
        height=HEIGHT - 24,
        overlay=uri(overlay),
        about=html.escape(options.about),
        terminal=terminal,
        report=uri(report),
    )
    (work / "front.html").write_text(page)
    screenshot(work / "front.html", options.out, WIDTH, HEIGHT)
    print(options.out)


def python(work: Path, module: str, *words: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, words)], check=True, cwd=work)


def measured(checkpoint: Path, photograph: Path, work: Path) -> Path:
    """The overlay of a photograph's cracks with their lengths."""
    python(work, "src.predict", checkpoint, photograph, "--smallest", 60)
    python(work, "src.measure", "predictions")
    return work / "measures" / "overlays" / f"{photograph.stem}.png"


def looked_at(seconds: float, work: Path) -> str:
    """Run the sweep; how its terminal looked meanwhile, as HTML."""
    end = work / "ended"
    command = f"{sys.executable} -m sweeps.run quickstart data.root=data/mine; touch {end}"
    size = ["-x", str(COLUMNS), "-y", str(ROWS), "-c", str(work)]
    subprocess.run(["tmux", "new-session", "-d", "-s", "front", *size, command], check=True)
    time.sleep(seconds)
    shown = subprocess.run(
        ["tmux", "capture-pane", "-t", "front", "-p", "-e"], check=True, capture_output=True, text=True
    ).stdout
    while not end.exists():
        time.sleep(2)
    console = Console(record=True, width=COLUMNS, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(Text.from_ansi(shown.rstrip()), end="")
    coloured = console.export_html(theme=MONOKAI, inline_styles=True, code_format="{code}")
    return re.sub(r"^\n+", "", f'<span style="color:#ddd">{coloured}</span>')


def screenshot(page: Path, picture: Path, width: int, height: int) -> None:
    picture.parent.mkdir(parents=True, exist_ok=True)
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=2"]
    target = [f"--window-size={width},{height}", f"--screenshot={picture.resolve()}", page.resolve().as_uri()]
    subprocess.run(["chromium", *words, *target], check=True, capture_output=True)


def uri(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


if __name__ == "__main__":
    sys.exit(run_command(main))
