"""Opening a page in headless Chromium, in a frame of a given width, and asking it things."""
import html
import http.server
import json
import re
import subprocess
import threading

# The page sits in a frame of the width asked for, because a window has a least width.
FRAME = """<!DOCTYPE html><meta charset="utf-8">
<iframe style="border:0;width:WIDTHpx;height:900px" srcdoc="PAGE"></iframe>
<script>addEventListener("load", function () {
  var page = frames[0], found = document.createElement("pre");
  found.id = "probe";
  found.textContent = JSON.stringify({probe: (function (page) { PROBE })(page), width: page.innerWidth,
    needed: page.document.documentElement.scrollWidth,
    fetched: page.performance.getEntriesByType("resource").map(
      function (entry) { return entry.name; }).filter(
      function (name) { return name.indexOf("data:") !== 0; })});
  document.body.appendChild(found);
});</script>"""


def browse(chromium, page, width, folder, probe, keep_policy=False):
    """Open a page, its policy lifted so that it could fetch if it wanted to, unless it is to be kept.

    What it fetches is seen by the server it comes from, and what it would fetch elsewhere by the browser.

    Parameters
    ----------
    chromium : the program.
    page : HTML
    width : of the frame, in pixels.
    folder : path of a folder of its own.
    probe : JavaScript, the body of a function of the page's window; what it returns is found as `probe`.
    keep_policy : leave the page's Content-Security-Policy as it is.

    Returns
    -------
    dict of probe, width (of the frame, as seen inside), needed (the width the page takes), fetched (addresses)
    """
    if not keep_policy:
        page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    frame = FRAME.replace("WIDTH", str(width)).replace("PROBE", probe).replace("PAGE", html.escape(page)).encode("utf-8")
    requests = []

    class Server(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            found = self.path == "/page.html"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if found:
                self.wfile.write(frame)

        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        finished = subprocess.run([
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--window-size={width + 100},900", f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000", "--dump-dom", f"http://127.0.0.1:{server.server_port}/page.html"
        ], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    finally:
        server.shutdown()
        server.server_close()
    dom = finished.stdout.decode("utf-8", "replace")
    probed = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)
    assert probed, finished.stderr.decode("utf-8", "replace")[-2000:]
    found = json.loads(html.unescape(probed.group(1)))
    found["fetched"] = sorted(
        set(found["fetched"] + [path for path in requests if path not in ("/page.html", "/favicon.ico")]))
    return found
