"""`runway-serve bench` as its user runs it, against a real server."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from runway_serve.bench.cli import main
from tests.processes import clean_env, free_port
from tests.serving import Served

QUICK = ("--warmup", "0", "--requests", "20", "--duration", "60")


def bench(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runway_serve", "bench", *map(str, arguments)],
        env=clean_env({"COLUMNS": "100"}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def figures(server: Served, command: str, *arguments: object) -> dict:
    """JSON of a bench that worked."""
    ended = bench(server.url, command, "--json", "-", *arguments)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def said(*arguments: object) -> str:
    """The one line of a bench that could not be."""
    ended = bench(*arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("runway-serve bench: ")
    return line.removeprefix("runway-serve bench: ")


def calls(server: Served) -> int:
    """How often the command `add` was called, this call included."""
    return server.post("add").json()["calls"]


class TestFigures:
    def test_requests_are_those_the_server_counted(self, server):
        before = calls(server)

        runs = figures(server, "add", *QUICK, "--concurrency", "1,4")["runs"]

        assert [run["requests"] for run in runs] == [20, 20]
        assert [run["answers"] for run in runs] == [20, 20]
        assert calls(server) - before == 20 + 20 + 2  # the check before the load, and ours

    def test_the_warm_up_is_not_counted(self, server):
        before = calls(server)
        warm = ("--warmup", "0.2", "--requests", "5", "--duration", "60", "--concurrency", "2")

        (run,) = figures(server, "add", *warm)["runs"]

        assert run["requests"] == 5
        assert calls(server) - before > 5 + 2

    def test_errors_carry_the_first_message(self, server):
        while calls(server) % 3:  # so that the check before the load is not the one that fails
            pass

        body = ("--body", '{"fail_each": 3}')
        (run,) = figures(server, "add", *body, *QUICK[:3], "21", "--concurrency", "1")["runs"]

        assert (run["requests"], run["answers"]) == (21, 14)
        ((kind, error),) = run["errors"].items()
        assert (kind, error["count"]) == ("HTTP 500", 7)
        assert "AssertionError('call " in error["first"]

    def test_everything_is_in_the_json(self, server, tmp_path):
        path = tmp_path / "figures.json"

        ended = bench(server.url, "add", *QUICK, "--rate", "200", "--json", path)
        document = json.loads(path.read_text())

        assert ended.returncode == 0
        assert document["url"] == server.url
        assert document["command"] == "add"
        assert document["server_pid"] == server.process.pid
        assert {"cores", "python", "system", "architecture"} <= document["machine"].keys()
        assert document["parameters"] == {
            "body_bytes": 2,
            "duration_s": 60.0,
            "warmup_s": 0.0,
            "requests": 20,
            "timeout_s": 60.0,
            "arrivals": "poisson",
            "max_connections": 1024,
        }
        (run,) = document["runs"]
        assert (run["loop"], run["offered_per_s"], run["concurrency"]) == ("open", 200.0, None)
        latency = run["latency_ms"]
        names = ["p50", "p90", "p99", "p99_9", "max"]
        assert [latency[n] for n in names] == sorted(latency[n] for n in names)
        assert latency["p50"] > 0
        assert run["requests_per_s"] == pytest.approx(20 / run["duration_s"], rel=0.01)
        assert run["received_bytes"] > 20 * 50
        assert run["server"]["memory_bytes"] > 10e6
        assert run["generator"]["cpu_us_per_request"] > 0

    def test_processor_time_is_that_of_all_processes(self, server):
        (run,) = figures(server, "add", *QUICK[:3], "1000", "--concurrency", "8")["runs"]

        cost = run["server"]
        assert cost["cpu_s"] > 0
        assert cost["cpu_s_per_1000_requests"] == pytest.approx(cost["cpu_s"], abs=1e-5)

    def test_a_picture_is_sent_as_a_data_uri(self, server, tmp_path):
        Image.new("RGB", (31, 17)).save(tmp_path / "photo.png")

        picture = ("--image", f"picture={tmp_path / 'photo.png'}")
        (run,) = figures(server, "look", *picture, *QUICK, "--concurrency", "2")["runs"]

        assert (run["answers"], run["errors"]) == (20, {})


class TestTable:
    def test_one_line_a_run(self, server):
        # quicker calls may make the generator the limit, which adds a warning
        nap = ("nap", "--body", '{"s": 0.01}')
        ended = bench(server.url, *nap, *QUICK, "--concurrency", "1,2")

        assert ended.returncode == 0
        heads, first, second = ended.stdout.splitlines()
        assert heads.split("  ")[-1] == "CPU s/1000"
        assert first.startswith("1 client ")
        assert second.startswith("2 clients ")
        assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [
            "1 client",
            "2 clients",
        ]

    def test_a_bar_shows_progress_on_a_terminal(self, server):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "runway_serve", "bench", server.url, "nap"]
        command += ["--body", '{"s": 0.02}', "--concurrency", "1", "--duration", "0.5"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            shown = b"".join(read_all(ours))
            assert process.wait(timeout=30) == 0
        os.close(ours)

        assert b"1 client warm-up [#" in shown
        assert b"1 client run [####" in shown
        assert b"/0.5 s" in shown

    def test_what_was_measured_is_shown_when_it_is_stopped(self, server):
        command = [sys.executable, "-m", "runway_serve", "bench", server.url, "add", *QUICK]
        command += ["--rate", "500,0.001"]  # the second sends nothing for minutes
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("500/s offered: ")
            process.send_signal(signal.SIGINT)
            try:
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()

        assert process.returncode == 130
        assert err.splitlines()[-1] == "stopped"
        assert "Traceback" not in err
        assert out.splitlines()[1].startswith("500/s offered ")


def read_all(terminal: int) -> list[bytes]:
    """Everything a program writes to its terminal until it closes it."""
    found = []
    while select.select([terminal], [], [], 60)[0]:
        try:
            found.append(os.read(terminal, 65536))
        except OSError:  # the other end is closed
            break
    return found


class TestPlot:
    @pytest.mark.parametrize("load", [("--concurrency", "1,2,4"), ("--rate", "100,200")])
    def test_is_a_png(self, server, tmp_path, load):
        path = tmp_path / "figures.png"

        ended = bench(server.url, "add", *QUICK, *load, "--plot", path)

        assert ended.returncode == 0, ended.stderr
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("PNG", (1200, 500))
            assert len(picture.convert("RGB").getcolors(1 << 16) or []) > 10

    def test_says_what_to_install_before_any_load(self, monkeypatch, capsys, tmp_path):
        monkeypatch.setitem(sys.modules, "matplotlib", None)  # what a missing module looks like

        assert main(["127.0.0.1:1", "add", "--plot", str(tmp_path / "p.png")]) == 1
        assert capsys.readouterr().err == (
            "runway-serve bench: --plot needs matplotlib: pip install 'runway-serve[plot]'\n"
        )


class TestMistakes:
    def test_no_server(self):
        url = f"http://127.0.0.1:{free_port()}"

        assert said(url, "add") == (
            f"no server listens at {url}: start one with `runway-serve script.py`, or give its address"
        )

    def test_no_such_command(self, server):
        assert said(server.url, "ad") == (
            f"{server.url} has no command 'ad'; it has: add, nap, look"
        )

    def test_a_body_the_command_refuses(self, server):
        line = said(server.url, "look")

        assert line.startswith("POST /look is answered with 400: ")
        assert "picture" in line

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--body", "{'s': 1}"], "--body {'s': 1} is neither a file nor JSON: "),
            (["--body", "photo.png"], "--body photo.png: the file is not JSON; to send a picture"),
            (["--body", "no.json"], "--body no.json is neither a file nor JSON: "),
            (["--image", "photo.png"], "--image photo.png is not of the form NAME=FILE"),
            (["--image", "p=none.png"], "--image p=none.png: No such file or directory"),
            (["--image", "p=notes.txt"], "--image p=notes.txt: notes.txt has no ending of an im"),
            (["--image", "p=photo.png", "--body", "[1]"], "--image needs a body that is a JSON o"),
            (["--header", "token"], "--header 'token' is not of the form 'Name: value'"),
            (["--header", "a: b\r\nc: d"], "--header 'a: b\\r\\nc: d' is not of the form"),
            (["--json", "no/f.json"], "--json no/f.json: the folder no does not exist"),
        ],
    )
    def test_bad_arguments(self, arguments, message, tmp_path, monkeypatch, capsys):
        Image.new("RGB", (2, 2)).save(tmp_path / "photo.png")
        monkeypatch.chdir(tmp_path)

        assert main(["127.0.0.1:1", "add", *arguments]) == 1
        assert capsys.readouterr().err.startswith(f"runway-serve bench: {message}")

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("http://127.0.0.1:http", "http://127.0.0.1:http is not a URL: "),
            ("ftp://127.0.0.1", "ftp://127.0.0.1 names no server; give one as http://127.0.0"),
            ("http://", "http:// names no server; "),
        ],
    )
    def test_bad_urls(self, url, message, capsys):
        assert main([url, "add"]) == 1
        assert capsys.readouterr().err.startswith(f"runway-serve bench: {message}")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--rate", "0"], "argument --rate: must be a number above 0, got '0'"),
            (["--rate", "inf"], "argument --rate: must be a number above 0, got 'inf'"),
            (["--concurrency", "1,,2"], "--concurrency: must be a whole number of at least 1"),
            (["--duration", "0"], "argument --duration: must be seconds above 0, got '0'"),
            (["--rate", "1", "--concurrency", "1"], "not allowed with argument --rate"),
        ],
    )
    def test_bad_flags(self, arguments, message, capsys):
        with pytest.raises(SystemExit) as ended:
            main(["127.0.0.1:1", "add", *arguments])

        assert ended.value.code == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


class TestName:
    def test_help(self):
        ended = bench("--help")

        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.startswith("usage: runway-serve bench ")

    def test_a_folder_of_that_name_is_still_served(self, tmp_path):
        command = [sys.executable, "-m", "runway_serve", "./bench"]
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )

        assert ended.returncode == 1
        assert ended.stderr.startswith("runway-serve: ./bench does not exist; ")
