"""Makes picture.svg, a terminal in which the command line runs on the demo's organization, and sample.html, the page
that the demo writes.

picture.py FOLDER            # the folder with access-key-rotation and access-key-rotation-demo, such as target/debug
picture.py FOLDER --check    # writes nothing, and fails if a file has something else

Both have what the programs print, but as if they ran on one day: all dates are so many days earlier or later.
"""

import datetime
import fcntl
import html
import os
import pathlib
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios

HERE = pathlib.Path(__file__).parent
DAY = datetime.date(2026, 3, 1)
COLUMNS, ROWS = 112, 25
# What is typed. USER and KEY are the first of the security account in the table, whose administrator runs the commands.
SCENES = (
    "access-key-rotation scan --organization --top 10",
    "access-key-rotation where KEY",
    "access-key-rotation plan --user USER | tail -n 11",
)
CHOSEN = re.compile(r"^(\S+) +security +(AKIA\w+) .* rotate$", re.MULTILINE)
# Seconds for a character, and for a reader.
TYPING, READING = 0.05, 7
WIDTH, HEIGHT, MARGIN, TOP = 8, 18, 16, 24
ANSI = re.compile(r"\x1b\[([\d;]*)m|([^\x1b]+)")
STYLE = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y"}
# Without animation, the last command with what it prints.
LOOK = """text{font:13px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}
.b{font-weight:bold}.d{fill:#9198a1}.r{fill:#ff7b72}.g{fill:#3fb950}.y{fill:#e3b341}
.back{fill:#0d1117;stroke:#3d444d}.cover{fill:#0d1117;transform-box:fill-box;transform-origin:right}.still{visibility:hidden}
"""
UPDATE = "run INSTA_UPDATE=always cargo test --workspace --test e2e -- demo::"
MOST_BYTES = {"picture.svg": 150_000, "sample.html": 400_000}


class Demo:
    """The demo, in a folder of its own, until it has printed all commands."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs.resolve(), folder
        self.process = subprocess.Popen(
            [self.programs / "access-key-rotation-demo"],
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.environment = {}
        for line in self.process.stdout:
            if line.startswith("  export "):
                self.environment = dict(word.split("=", 1) for word in shlex.split(line)[1:])
            if line.startswith("  unset "):
                return self
        sys.exit("The demo ended before it had printed its commands.")

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()

    def run(self, command):
        """What the command prints on a terminal."""
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = self.environment | {"PATH": f"{self.programs}:{os.environ['PATH']}", "TERM": "xterm-256color"}
        # Its progress goes to standard error, which nobody sees here.
        process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.PIPE,
        )
        os.close(its)
        printed = b""
        # Linux ends a terminal that nobody writes to any more with an error.
        try:
            while some := os.read(ours, 65536):
                printed += some
        except OSError:
            pass
        os.close(ours)
        _, error = process.communicate()
        # Without and with findings.
        if process.returncode not in (0, 3):
            sys.exit(f"{command} failed: {error.decode()}")
        return printed.decode().replace("\r\n", "\n")


def today():
    return datetime.datetime.now(datetime.UTC).date()


def on_the_day(text):
    """The text as if today was the day, and the time noon."""
    ahead = DAY - today()

    def moved(found):
        return (datetime.date.fromisoformat(found[0]) + ahead).isoformat()

    text = re.sub(r"\b20[2-9]\d-[01]\d-[0-3]\d\b", moved, text)
    text = re.sub(rf"({DAY}[T ](?:at )?)\d\d:\d\d(?::\d\d)?", r"\g<1>12:00", text)
    # What the page sorts by, in seconds: ages, of which the time of day is taken off, and moments.
    day = 24 * 60 * 60
    text = re.sub(r'(data-age=")(\d+)', lambda found: f"{found[1]}{int(found[2]) // day * day}", text)
    return re.sub(r'(data-used=")(\d{10})', lambda found: f"{found[1]}{int(found[2]) + ahead.days * day}", text)


def spans(line):
    """(column, classes, text) of each part of a line with its own look."""
    column, classes = 0, set()
    for code, text in ANSI.findall(line):
        if not text:
            for part in code.split(";"):
                classes = classes | {STYLE[part]} if part in STYLE else set()
        # Columns stay where they are in any font.
        for part in re.finditer(r"\S+(?: \S+)*", text):
            yield column + part.start(), " ".join(sorted(classes)), part[0]
        column += len(text)


def rows(printed):
    """The lines of the terminal, each with its parts. One that is too long goes on in the next."""
    for line in printed.splitlines():
        row, first = [], 0
        for column, classes, text in spans(line):
            while column + len(text) > first + COLUMNS:
                cut = max(first + COLUMNS - column, 0)
                yield row + [(column - first, classes, text[:cut])] * bool(cut)
                row, first, column, text = [], first + COLUMNS, column + cut, text[cut:]
            row.append((column - first, classes, text))
        yield row


def text_of(row, parts):
    y = TOP + MARGIN + HEIGHT * (row + 1)
    written = ""
    for column, classes, text in parts:
        look = f' class="{classes}"' if classes else ""
        place = f'x="{MARGIN + column * WIDTH}" textLength="{len(text) * WIDTH}" lengthAdjust="spacingAndGlyphs"'
        written += f"<tspan {place}{look}>{html.escape(text, quote=False)}</tspan>"
    return f'<text y="{y}">{written}</text>\n' if written else ""


def scene(number, begins, ends, whole, command, lines):
    """A command that is typed, then what it prints; and the rules that show it from one second to another."""
    typed = len(command) * TYPING
    shown, printed = (f"{100 * at / whole:.2f}%" for at in (begins, begins + typed + 0.5))
    gone, complete = f"{100 * ends / whole:.2f}%", f"{100 * (begins + typed) / whole:.2f}%"
    last = ends == whole
    rules = ""
    for name, since in (("s", shown), ("p", printed)):
        after = "" if last else f"{gone}{{visibility:hidden}}"
        rules += f"@keyframes {name}{number}{{0%{{visibility:hidden}}{since}{{visibility:visible}}{after}}}\n"
        rules += f".{name}{number}{{animation:{name}{number} {whole:.2f}s step-end infinite}}\n"
    columns = (len(command) + 2) * WIDTH
    covered, bare = "{transform:scaleX(1)}", "{transform:scaleX(0)}"
    rules += f"@keyframes t{number}{{0%,{shown}{covered}{complete},100%{bare}}}\n"
    rules += f".t{number}{{animation:t{number} {whole:.2f}s linear infinite}}\n"
    place = f'x="{MARGIN + 2 * WIDTH}" y="{TOP + MARGIN + 2}" width="{columns}" height="{HEIGHT + 3}"'
    output = "".join(text_of(row + 1, parts) for row, parts in enumerate(lines))
    still = "" if last else " still"
    prompt = text_of(0, [(0, "g", "$"), (2, "b", command)])
    cover = f'<rect class="cover t{number}" {place}/>\n'
    return rules, f'<g class="s{number}{still}">\n{prompt}{cover}<g class="p{number}">\n{output}</g>\n</g>\n'


def picture(demo):
    scenes, chosen = [], None
    for command in SCENES:
        if chosen:
            command = command.replace("USER", chosen[1]).replace("KEY", chosen[2])
        printed = on_the_day(demo.run(command))
        chosen = chosen or CHOSEN.search(ANSI.sub(r"\2", printed))
        if not chosen:
            sys.exit("No key of the security account is to rotate.")
        lines, most = list(rows(printed)), ROWS - 1
        scenes.append((command, lines if len(lines) <= most else lines[: most - 1] + [[(0, "d", "...")]]))
    lengths = [len(command) * TYPING + READING for command, _ in scenes]
    whole, begins = sum(lengths), 0
    rules = drawn = ""
    for number, ((command, lines), length) in enumerate(zip(scenes, lengths)):
        ends = whole if number == len(scenes) - 1 else begins + length
        its, group = scene(number, begins, ends, whole, command, lines)
        rules, drawn, begins = rules + its, drawn + group, ends
    width, height = 2 * MARGIN + COLUMNS * WIDTH, TOP + 2 * MARGIN + ROWS * HEIGHT
    title = "A terminal that runs " + ", then ".join(command for command, _ in scenes)
    buttons = ((18, "#ff5f57"), (36, "#febc2e"), (54, "#28c840"))
    buttons = "".join(f'<circle cx="{x}" cy="16" r="5" fill="{color}"/>' for x, color in buttons)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">
<title>{title}</title>
<style>
{LOOK}{rules}@media (prefers-reduced-motion:reduce){{*{{animation:none!important}}.cover{{visibility:hidden}}}}
</style>
<rect class="back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>
{buttons}
{drawn}</svg>
"""


def make(programs):
    """The text of each file."""
    with tempfile.TemporaryDirectory() as folder, Demo(pathlib.Path(programs), folder) as demo:
        page = (pathlib.Path(folder) / "access-key-rotation-demo.html").read_text()
        return {"picture.svg": picture(demo), "sample.html": on_the_day(page)}


def main():
    programs, *options = sys.argv[1:] or [None, "--help"]
    if options not in ([], ["--check"]):
        sys.exit(__doc__)
    began, made = today(), make(programs)
    if today() != began:
        made = make(programs)  # Midnight was between two of the dates.
    for name, text in made.items():
        if len(text.encode()) > MOST_BYTES[name]:
            sys.exit(f"{name} has {len(text.encode())} bytes; at most {MOST_BYTES[name]} are allowed")
        if not options:
            (HERE / name).write_text(text)
        elif (HERE / name).read_text() != text:
            sys.exit(f"{name} has other contents than the programs print: {UPDATE}")


if __name__ == "__main__":
    main()
