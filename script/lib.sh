# Shared by the scripts beside it; the working directory is the top of the tree.
# shellcheck shell=sh
# SPDX-License-Identifier: MIT

say() { printf '%s: %s\n' "$0" "$*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		say "packages are missing, and there is neither root nor sudo."
		die "as root, run: cd $(pwd) && apt-get update && apt-get build-dep ./"
	fi
}

# Install what debian/control asks for.  When all is there: no root, no network.
install_deps() {
	if command -v dpkg-checkbuilddeps >/dev/null 2>&1 &&
		dpkg-checkbuilddeps debian/control >/dev/null 2>&1; then
		return 0
	fi
	command -v apt-get >/dev/null 2>&1 ||
		die "no apt-get here: install what debian/control lists by hand."
	say "installing the build dependencies of debian/control"
	as_root apt-get update -q >&2
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -y -q --no-install-recommends build-dep ./ >&2
}

# fail2ban-regex for t/65-fail2ban.t.  Unpacked, not installed: its package would
# start a service.  Without a network that test is skipped.
unpack_fail2ban() {
	if command -v fail2ban-regex >/dev/null 2>&1 || [ -d build/fail2ban ] ||
		! command -v apt-get >/dev/null 2>&1; then
		return 0
	fi
	mkdir -p build/fail2ban.new
	if (cd build/fail2ban.new && apt-get -q download fail2ban &&
		dpkg -x fail2ban_*.deb .) >build/fail2ban.log 2>&1; then
		mv build/fail2ban.new build/fail2ban
	else
		rm -rf build/fail2ban.new
		say "no fail2ban to be had; see build/fail2ban.log"
	fi
}

stale() {
	[ -x configure ] && [ -f Makefile.in ] || return 0
	for input in configure.ac Makefile.am sources.am; do
		# -nt is no POSIX; find's is.
		[ -z "$(find "$input" -newer configure)" ] || return 0
	done
	return 1
}

# Make configure, unless it is there and newer than what it is made from.  Two
# scripts may be started at once: one waits for the other.
make_configure() {
	mkdir -p build
	(
		flock 9
		if stale; then
			./bootstrap >build/bootstrap.log 2>&1 ||
				{ cat build/bootstrap.log >&2; exit 1; }
			# autoreconf leaves alone what has not changed.
			touch configure
		fi
	) 9>build/bootstrap.lock
}

jobs() { nproc 2>/dev/null || echo 1; }

# configure_in FOLDER [SWITCH...]: again only when the switches have changed.
configure_in() {
	where=$1
	shift
	mkdir -p "$where"
	if [ ! -f "$where/Makefile" ] ||
		[ "$(cat "$where/configured-with" 2>/dev/null)" != "$*" ]; then
		(cd "$where" && ../../configure --prefix=/usr --sysconfdir=/etc \
			--localstatedir=/var --runstatedir=/run "$@" \
			>configure.out 2>&1) || {
			tail -n 20 "$where/configure.out" >&2
			die "configure failed; more in $where/config.log"
		}
		printf '%s\n' "$*" >"$where/configured-with"
	fi
}

# make_in FOLDER [TARGET...]
make_in() {
	where=$1
	shift
	say "building in $where"
	make -s -C "$where" -j"$(jobs)" "$@" >"$where/make.out" 2>&1 </dev/null || {
		grep -v '^  [A-Z]* ' "$where/make.out" >&2 || :
		die "the build has failed; all of it is in $where/make.out"
	}
}
