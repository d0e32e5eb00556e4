"""Brings server programs from the distribution's own packages, without root, for scripts/setup.

apt finds and downloads the packages as a plain user and verifies the archive's signature and each package's hash itself, as it
always does; nothing here is trusted that apt would not install. The packages are only unpacked, never installed: no maintainer
script runs, no service starts, nothing outside <project>/.muster changes. Each program gets a wrapper in tools/debian/bin.
"""

import glob
import os
import shutil
import subprocess
import sys

# Name: what it is, the packages, the programs that must be there (the first one is named by its environment variable).
PROGRAMS = {
    "mariadb": ("MariaDB", ["mariadb-server-core", "mariadb-client-core", "mariadb-client"],
                ["mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump", "my_print_defaults", "resolveip"]),
    "redis": ("Redis", ["redis-server", "redis-tools"], ["redis-server", "redis-cli"]),
    "etcd": ("etcd", ["etcd-server"], ["etcd"]),
    "bind": ("BIND", ["bind9", "bind9-dnsutils"], ["named", "nsupdate", "dig"]),
    "pgbackrest": ("pgBackRest", ["pgbackrest"], ["pgbackrest"]),
    "restic": ("restic", ["restic"], ["restic"]),
    "chromium": ("Chromium", ["chromium"], ["chromium"]),
}
# What Patroni imports. Its own wheel comes from PyPI.
PATRONI_IMPORTS = ["python3-etcd", "python3-yaml", "python3-click", "python3-dateutil", "python3-prettytable",
                   "python3-psutil", "python3-urllib3", "python3-cdiff", "python3-pkg-resources"]
# Dependencies that only maintainer scripts and cluster tools use. Unpacking the C library beside the system's would break both.
NOT_NEEDED = ("perl", "libperl", "libc6", "libc-bin", "postgresql-common", "postgresql-client-common", "iproute2", "ucf", "ssl-cert",
              "openssl", "netbase", "libbpf1", "libcap2-bin", "libxtables12", "dns-root-data", "mailcap", "python3-minimal")
SYSTEM_DIRS = ("/usr/sbin", "/sbin", "/usr/local/sbin")  # servers live here, and a plain user's PATH leaves it out
# Only by hand, to see on a developer's machine what a bare one does: no system programs, and another list of what is installed.
IGNORE_SYSTEM, DPKG_STATUS = "MUSTER_SETUP_IGNORE_SYSTEM", "MUSTER_SETUP_DPKG_STATUS"

updated = []  # our own package lists are read once in a run


class Missing(Exception):
    """Why the programs cannot be had here."""


def find_or_install(name, tools):
    """The path of the first program."""
    _, packages, programs = PROGRAMS[name]
    override = os.environ.get(f"MUSTER_{programs[0].upper().replace('-', '_')}")
    if override and runs(override):
        return override
    home = f"{tools}/debian"
    for place in (on_system, lambda program: executable(f"{home}/bin/{program}")):
        found = [place(program) for program in programs]
        if all(found) and runs(found[0]):
            return found[0]
    unpack(packages, home)
    for program in programs:
        # Chromium's in `bin` is a script that looks for the rest of it where it would be installed.
        places = (f"lib/{program}", "sbin", "bin")
        real = next(filter(executable, (f"{home}/root/usr/{place}/{program}" for place in places)), None)
        if not real:
            raise Missing(f"the packages {', '.join(packages)} do not hold `{program}`")
        wrap(real, f"{home}/bin/{program}", home)
    if not runs(f"{home}/bin/{programs[0]}"):
        raise Missing(f"`{home}/bin/{programs[0]}` does not run on this system")
    return f"{home}/bin/{programs[0]}"


def on_system(program):
    if os.environ.get(IGNORE_SYSTEM):
        return None
    return shutil.which(program) or shutil.which(program, path=":".join(SYSTEM_DIRS))


def executable(path):
    return path if os.access(path, os.X_OK) else None


def runs(program):
    """Loads its libraries and says its version. (`named` says it with -v, pgBackRest with `version`.)"""
    for ask in ("--version", "-v", "version"):
        try:
            if subprocess.run([program, ask], capture_output=True, timeout=20).returncode == 0:
                return True
        except (OSError, subprocess.TimeoutExpired):
            return False
    return False


def wrap(program, wrapper, home):
    lines = ["#!/bin/sh", f"export LD_LIBRARY_PATH='{library_path(home)}'" + '${LD_LIBRARY_PATH:+":$LD_LIBRARY_PATH"}',
             f"exec '{program}' \"$@\""]
    if program.endswith("/chromium"):
        lines.insert(1, f"export FONTCONFIG_FILE='{fonts(home)}'")
    os.makedirs(os.path.dirname(wrapper), exist_ok=True)
    with open(f"{wrapper}.new", "w") as file:
        file.write("\n".join(lines) + "\n")
    os.chmod(f"{wrapper}.new", 0o755)
    os.replace(f"{wrapper}.new", wrapper)


def fonts(home):
    """The system's and the unpacked ones: a page without any would be a page without words."""
    directories = "".join(f"<dir>{root}/usr/share/fonts</dir>" for root in ("", f"{home}/root"))
    usual = {"sans-serif": "DejaVu Sans", "system-ui": "DejaVu Sans", "serif": "DejaVu Serif", "monospace": "DejaVu Sans Mono"}
    aliases = "".join(f"<alias><family>{name}</family><prefer><family>{font}</family></prefer></alias>" for name, font in usual.items())
    path = f"{home}/fonts.conf"
    with open(path, "w") as file:
        file.write(f'<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>{directories}'
                   f"<cachedir>{home}/fonts.cache</cachedir>{aliases}</fontconfig>\n")
    return path


def library_path(home):
    """Also one below: there is what only the packages of one library use, and find by where they would be installed."""
    places = [f"{home}/root/{base}/*-linux-gnu{below}/*.so*" for base in ("usr/lib", "lib") for below in ("", "/*")]
    found = {os.path.dirname(library) for place in places for library in glob.glob(place)}
    return ":".join(sorted(found, reverse=True))


def unpack(packages, home):
    """These packages, and of their dependencies what this system does not have."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Missing("this system has no apt, which would bring it")
    archives = f"{home}/archives"
    for directory in (archives, f"{home}/root", f"{home}/apt/lists/partial", f"{home}/apt/cache/archives/partial"):
        os.makedirs(directory, exist_ok=True)
    failure = None
    # The system's package lists where they are there and still good, else our own.
    for lists in ("/var/lib/apt/lists", f"{home}/apt/lists"):
        if lists.startswith(home):
            update(home, lists)
        try:
            wanted = [package for package in resolve(packages, home, lists) if not package.startswith(NOT_NEEDED)]
            print(f"fetching {', '.join(wanted)} from the distribution", file=sys.stderr)
            apt(home, lists, "apt-get", "download", "-q", *wanted, cwd=archives)
            break
        except Missing as missing:
            failure = missing
    else:
        raise failure
    for archive in glob.glob(f"{archives}/*.deb"):
        done = subprocess.run(["dpkg-deb", "-x", archive, f"{home}/root"], capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"{os.path.basename(archive)} cannot be unpacked: {done.stderr.strip()}")
        os.remove(archive)


def resolve(packages, home, lists):
    """What apt would install, by its own account."""
    simulated = apt(home, lists, "apt-get", "--simulate", "--no-install-recommends", "install", *packages)
    missing = [line.split()[1] for line in simulated.splitlines() if line.startswith("Inst ")]
    # One that is installed but was not found (a broken or partial installation) is taken again.
    return sorted({*missing, *packages})


def update(home, lists):
    if not updated:
        print("reading the distribution's package lists", file=sys.stderr)
        apt(home, lists, "apt-get", "update", "-q")
        updated.append(lists)


def apt(home, lists, *command, cwd="/"):
    status = os.environ.get(DPKG_STATUS, "/var/lib/dpkg/status")
    options = {"Dir::State": f"{home}/apt", "Dir::State::lists": lists, "Dir::State::status": status,
               "Dir::Cache": f"{home}/apt/cache", "Debug::NoLocking": "true", "APT::Sandbox::User": "root",
               "Acquire::Retries": "3", "Acquire::Languages": "none"}
    arguments = [command[0], *(part for key, value in options.items() for part in ("-o", f"{key}={value}")), *command[1:]]
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise Missing(f"`{' '.join(command[:2])}` failed: {' '.join(said)[-400:]}")
    return done.stdout
