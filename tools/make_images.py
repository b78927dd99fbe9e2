#!/usr/bin/env python3
"""The pictures of the README: the report page and the timeline page, as a browser shows them.

    python3 run_i2b2.py demo
    python3 -m tools.make_images [--result DIR] [--out DIR]

Both are of the synthetic sample corpus, so they hold no text of a real note. Needs Chromium (Debian: apt-get install
chromium).
"""
import argparse
import os
import shutil
import subprocess
import tempfile

from data_process_i2b2 import read_document
from notes import timeline_page
from support import paths
from support.console import say
from support.errors import InputError
from support.files import make_folder, write_atomically
from support.main import run_main

NOTE = "814.xml"
# Both pages have their columns side by side at this size.
WIDTH, HEIGHT = 1000, 1000
LARGEST = 300 * 1000  # bytes of a picture: they are a part of every clone
IMAGES = os.path.join(paths.PROJECT, "docs", "images")


def main():
    """Draw both pictures."""
    parser = argparse.ArgumentParser(prog="make_images.py", description="Draw the README's pictures from the sample corpus.")
    parser.add_argument("--result", metavar="DIR", default=os.path.join(paths.DEFAULT_RESULT, "demo"),
                        help="result folder of the demo (default: %(default)s)")
    parser.add_argument("--out", metavar="DIR", default=IMAGES, help="folder of the pictures (default: %(default)s)")
    arguments = parser.parse_args()
    report = paths.ResultFolder(arguments.result).report
    if not os.path.isfile(report):
        raise InputError(f"{report} is not there: run `python3 run_i2b2.py demo` first, or name its folder with --result DIR.")
    chromium = find_chromium()
    make_folder(arguments.out)
    with tempfile.TemporaryDirectory() as folder:
        timeline = os.path.join(folder, "timeline.html")
        write_atomically(timeline, sample_timeline())
        for name, page in (("report", report), ("timeline", timeline)):
            path = os.path.join(arguments.out, f"{name}.png")
            write_atomically(path, picture(chromium, page, folder))
            say(f"-> {path}")


def find_chromium():
    """The program; InputError without one."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise InputError("there is no chromium on the PATH; on Debian and Ubuntu `apt-get install chromium` gets it.")
    return program


def sample_timeline():
    """The timeline page of a sample note with the links that are annotated in it: HTML."""
    document = read_document(os.path.join(paths.CorpusFolder(paths.SAMPLE_CORPUS).test_xml, NOTE), entities="decoded")
    return timeline_page.page(document, [None] * len(document.tlinks))


def picture(chromium, page, folder):
    """What a browser window shows of a page.

    Parameters
    ----------
    chromium : the program.
    page : path of an HTML file.
    folder : for the browser's own files and the picture.

    Returns
    -------
    bytes of a PNG, WIDTH x HEIGHT pixels

    Raises
    ------
    InputError : Chromium fails, or the picture is larger than LARGEST.
    """
    path = os.path.join(folder, "picture.png")
    command = [chromium, "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
               f"--user-data-dir={os.path.join(folder, 'profile')}", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={path}",
               "file://" + os.path.abspath(page)]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium's sandbox does not start for root
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    if finished.returncode or not os.path.isfile(path):
        raise InputError(f"{chromium} drew no picture of {page}: {finished.stdout.decode('utf-8', 'replace')[-500:]}")
    with open(path, "rb") as source:
        png = source.read()
    os.remove(path)
    if len(png) > LARGEST:
        raise InputError(f"the picture of {page} has {len(png):,} bytes, more than {LARGEST:,}: make WIDTH or HEIGHT smaller.")
    return png


if __name__ == "__main__":
    run_main(main)
