"""The MPG service under the servers of deploy/, as `tests.support.serving.running` starts them.

    python -m tests.support.servers {gunicorn,apache} --port 5000 --workers 2 [--slow]

What starts becomes the server itself, so that a signal reaches it. With ``--slow`` each prediction
takes 20 ms, and what is begun is told (see `slow_service`).
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.serving import MODEL, ROOT

DEPLOY = ROOT / "deploy"
SITE = DEPLOY / "apache" / "networks-at-work.conf"
SLOW = ROOT / "tests" / "support" / "slow_wsgi.py"
OUTPUT = Path("/proc/self/fd/1")  # leads to the file that `running` gives for it
MOD_WSGI = "6.1.1"  # PyPI's: Debian's own is for Debian's Python
# What Debian's own configuration does around a site: load modules, listen, keep its files.
AROUND = """
ServerRoot "{folder}"
ServerName course.test
PidFile "{folder}/apache2.pid"
DefaultRuntimeDir "{folder}"
WSGISocketPrefix "{folder}/wsgi"
ErrorLog "{folder}/stdout"
ErrorLogFormat "%M"
Listen 127.0.0.1:{port}
LoadModule mpm_event_module "{modules}/mod_mpm_event.so"
LoadModule authz_core_module "{modules}/mod_authz_core.so"
LoadModule setenvif_module "{modules}/mod_setenvif.so"
LoadModule reqtimeout_module "{modules}/mod_reqtimeout.so"
LoadModule wsgi_module "{wsgi}"
"""


def no_apache() -> str:
    """Why Apache cannot be run here; empty where it can."""
    if not all(shutil.which(name, path=search_path()) for name in ("apache2", "apxs")):
        return "needs apache2 and apxs, which `make test` installs as root on Debian"
    return no_user_switch()


def no_user_switch() -> str:
    """Why `unprivileged` cannot work here; empty where it can."""
    if not _is_root():
        return ""
    command = unprivileged(["true"], 10001)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"this root may not become somebody else: {done.stderr}" if done.returncode else ""


@functools.cache
def mod_wsgi() -> Path:
    """Apache's module for this Python; built once, by pip."""
    folder = ROOT / ".cache" / f"mod_wsgi-{MOD_WSGI}-{sysconfig.get_config_var('SOABI')}"
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command = [*pip, "--target", str(draft), f"mod_wsgi=={MOD_WSGI}"]
        subprocess.run(command, check=True, env=os.environ | {"PATH": search_path()})
        draft.replace(folder)
    (module,) = folder.glob("mod_wsgi/server/mod_wsgi-*.so")
    return module


def apache_configuration(folder: Path, port: int, script: Path) -> Path:
    """The site of deploy/ with what is a user's to change changed, and what Debian has around it.

    Apache keeps all its files in ``folder``; its logs are there, in ``stdout``.
    """
    site = SITE.read_text("utf-8")
    for name, value in {
        "ADDRESS": f"127.0.0.1:{port}",
        "NAME": "course.test",
        "PYTHON": sys.prefix,
        "SCRIPT": str(script),
    }.items():
        site, changed = re.subn(
            rf"(?m)^Define COURSE_{name} .*$", f"Define COURSE_{name} {value}", site
        )
        assert changed == 1, name
    query, path = ["apxs", "-q", "LIBEXECDIR"], {"PATH": search_path()}
    modules = subprocess.check_output(query, env=path, text=True).strip()
    around = AROUND.format(folder=folder, port=port, modules=modules, wsgi=mod_wsgi())
    configuration = folder / "apache2.conf"
    configuration.write_text(around + site, "utf-8")
    for log in ("networks-at-work.log", "networks-at-work-error.log"):
        (folder / log).unlink(missing_ok=True)
        (folder / log).symlink_to("stdout")
    return configuration


def unprivileged(command: list[str], uid: int, *paths: Path) -> list[str]:
    """The command as user ``uid``, who owns ``paths`` and may read, but not write, all else.

    Reading needs a capability: an interpreter or a checkout may lie in root's own home. Where
    this process is not root it is unprivileged as it is. Where coverage is counted, it is not
    counted here: that user may not write its file, and coverage would say so among the errors.
    """
    if not _is_root():
        return command
    for path in paths:
        os.chown(path, uid, uid)
    options = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    may = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    uncounted = ["env", "--unset=COVERAGE_PROCESS_CONFIG", "--unset=COVERAGE_PROCESS_START"]
    become = ["setpriv", *options, *may, "--bounding-set=-all,+dac_read_search"]
    return [*uncounted, *become, *command]


def apache(port: int, workers: int, slow: bool) -> list[str]:
    import pwd  # which Windows lacks

    assert workers == 2, "as many as the site says"
    output = OUTPUT.readlink()
    path = apache_configuration(output.parent, port, SLOW if slow else DEPLOY / "wsgi.py")
    program = shutil.which("apache2", path=search_path()) or ""
    # Debian's own user for it: mod_wsgi wants one that is known.
    user = pwd.getpwnam("www-data").pw_uid
    return unprivileged([program, "-f", str(path), "-D", "FOREGROUND"], user, output, output.parent)


def gunicorn(port: int, workers: int, slow: bool) -> list[str]:
    program = Path(sys.executable).with_name("gunicorn")
    command = [str(program), "--config", str(DEPLOY / "gunicorn.conf.py")]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    return [*command, *(["tests.support.slow_wsgi:application"] if slow else [])]


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def search_path() -> str:
    """Where programs are; Debian keeps Apache where only root looks."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=["gunicorn", "apache"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    make = {"gunicorn": gunicorn, "apache": apache}[options.server]
    program, *arguments = make(options.port, options.workers, options.slow)
    # Coverage would be written by a user who may not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment |= {"COURSE_MODEL": str(MODEL), "PATH": search_path()}
    environment["APACHE_LOG_DIR"] = str(OUTPUT.readlink().parent)
    os.execvpe(program, [program, *arguments], environment)
