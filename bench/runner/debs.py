# Debian's servers, unpacked below build/ and never installed.
#
# apt-get download fetches a package and those of its libraries that this
# machine lacks, dpkg -x unpacks them, and LD_LIBRARY_PATH does the rest.
#
# SPDX-License-Identifier: MIT
import glob
import os
import re
import shutil
import subprocess

from .process import Failed


def installed(package):
    done = subprocess.run(['dpkg-query', '-W', '-f', '${db:Status-Status}', package],
                          capture_output=True, text=True, check=False)
    return 'installed' in done.stdout and 'not-installed' not in done.stdout


def depends(package):
    done = subprocess.run(['apt-cache', 'depends', '--important', package],
                          capture_output=True, text=True, check=False)
    found = re.findall(r'^ [| ]*(?:Pre)?Depends: (\S+)$', done.stdout, re.M)
    return [d.partition(':')[0] for d in found if not d.startswith('<')]


def closure(packages):
    """The packages, and the libraries that they need and the machine has not.
    What is no library (init scripts, adduser) is needed to install a package,
    not to run the program."""
    found = list(packages)
    for package in found:
        for name in depends(package):
            if name not in found and (name.startswith('lib') or name.startswith('lua')) \
                    and not installed(name):
                found.append(name)
    return found


def unpack(name, packages, out):
    """The folder that the packages are unpacked in."""
    root = os.path.join(out, 'peers', name)
    if os.path.exists(os.path.join(root, 'complete')):
        return root
    shutil.rmtree(root, ignore_errors=True)
    debs = os.path.join(root, 'debs')
    os.makedirs(debs)
    wanted = closure(packages)
    done = subprocess.run(
        ['apt-get', 'download', '-q', '-o', 'APT::Sandbox::User=root', *wanted],
        cwd=debs, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f'apt-get download {" ".join(wanted)}: {done.stderr.strip()[-300:]}'
                     '; try apt-get update, or leave the peers out with --no-peers')
    for deb in sorted(glob.glob(os.path.join(debs, '*.deb'))):
        subprocess.run(['dpkg', '-x', deb, root], check=True)
    with open(os.path.join(root, 'complete'), 'w', encoding='utf-8') as f:
        f.write('\n'.join(os.path.basename(d) for d in sorted(os.listdir(debs))) + '\n')
    return root


def library_path(root):
    return ':'.join(p for p in glob.glob(os.path.join(root, '*lib/*-linux-gnu*'))
                    + glob.glob(os.path.join(root, 'usr/lib/*-linux-gnu*')) if os.path.isdir(p))


def version(name, package, out):
    for deb in glob.glob(os.path.join(out, 'peers', name, 'debs', f'{package}_*.deb')):
        return os.path.basename(deb).split('_')[1].replace('%3a', ':')
    return ''
