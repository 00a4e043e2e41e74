#!/bin/sh
# The life of the service, step by step, with what is seen at each; run by
# script/test-package in a container of its own, as root, under systemd.
# Whoever connects before the upgrade of the package is connected after it.
#
# SPDX-License-Identifier: MIT
set -u
# A client that is gone is a finding, not the end.
trap '' PIPE
dir=/tmp/life
conf_d=/etc/banter/conf.d
drop_in=/run/systemd/system/banterd.service.d
failed=0
n=0
mkdir -p "$dir"

step() { printf '\n== %s\n' "$*"; }
ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		failed=$((failed + 1))
		echo "not ok $n - $2"
	fi
}
# is WHAT GOT WANTED
is() {
	[ "$2" = "$3" ]
	ok $? "$1: $3"
	[ "$2" = "$3" ] || echo "# got: $2"
}
# tell COMMAND...: show it and what it says; its exit code is in $rc.
tell() {
	echo "# $*"
	rc=0
	"$@" >"$dir/said" 2>&1 || rc=$?
	sed 's/^/    /' "$dir/said"
}
# wait_until COMMAND...: 30 seconds are generous; reaching them is the failure.
wait_until() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -le 300 ] || return 1
		sleep 0.1
	done
}
show() { systemctl show -P "$1" banterd; }
says() { echo "$3" | grep -qE -- "$2"; ok $? "$1"; }
has() { grep -qF -- "$2" "$dir/$1.out"; }
# connect NAME ADDRESS: a client that stays, with a FIFO as its keyboard.
connect() {
	mkfifo "$dir/$1.in"
	: >"$dir/$1.out"
	nc "$2" 7788 <"$dir/$1.in" >"$dir/$1.out" 2>&1 &
	echo "$!" >"$dir/$1.pid"
}
# hears NAME TEXT: it was sent what another has said.
hears() {
	wait_until has "$1" "$2"
	ok $? "$1 hears: $2"
}
# Neither came back by itself: each is the connection of its first moment.
both_talk() {
	echo "$1 from ann" >&3
	hears bob "$1 from ann"
	echo "$1 from bob" >&4
	hears ann "$1 from bob"
	is "$1: connections that were lost" "$(for c in ann bob; do
		kill -0 "$(cat "$dir/$c.pid")" 2>/dev/null || echo "$c"
	done)" ''
}

step install
tell apt-get -q -y install /package/this.deb
is 'apt-get' "$rc" 0
tell systemctl --no-pager status banterd
is 'it runs' "$(systemctl is-active banterd)" active
is 'it will after a boot' "$(systemctl is-enabled banterd)" enabled
is 'it listens, for this machine' "$(ss -Hltn 'sport = 7788' |
	awk '{ print $4 }' | sort -u | tr '\n' ' ')" '127.0.0.1:7788 [::1]:7788 '
is 'all of its processes belong to' "$(ps -o user= --ppid "$(show MainPID)" \
	-p "$(show MainPID)" | sort -u)" _banter
is 'descriptors that it may have' "$(show LimitNOFILE)" 1048576
tell find /etc/banter /run/banter /var/lib/banter /var/log/banter -ls
tell banterctl status
is 'banterctl status' "$rc" 0

step "watchdog: a master that stands still is replaced"
mkdir -p "$drop_in"
printf '[Service]\nWatchdogSec=2s\n' >"$drop_in/watchdog.conf"
systemctl daemon-reload
systemctl restart banterd
was=$(show MainPID)
kill -STOP "$was"
replaced() { [ "$(show MainPID)" != "$was" ] && [ "$(show ActiveState)" = active ]; }
wait_until replaced
ok $? 'another one has taken its place'
is 'restarts' "$(show NRestarts)" 1
says 'the journal says why' 'Watchdog timeout' "$(journalctl -q -u banterd)"

step "clients connect"
connect ann 127.0.0.1
exec 3>"$dir/ann.in"
connect bob ::1
exec 4>"$dir/bob.in"
echo '/nick ann' >&3
hears ann 'You are ann'
echo '/nick bob' >&4
hears bob 'You are bob'
both_talk hello
tell banterctl clients

step "a good reload"
was=$(show MainPID)
printf 'room attic {\n\ttopic = "Dust"\n}\n' >$conf_d/10-local.conf
tell systemctl reload banterd
is 'systemctl reload' "$rc" 0
says 'STATUS tells of it' 'configuration 2' "$(show StatusText)"
says 'the room is there' attic "$(banterctl rooms)"
both_talk reloaded

step "open to the network, as the README has it"
cat >$conf_d/open.conf <<END
listen text {
    address = {"*"}
}
END
tell systemctl reload banterd
is 'systemctl reload' "$rc" 0
# What is bound to no interface (%if2147483647) is leaving, and found by nobody.
is 'it listens, for everybody' "$(ss -Hltn 'sport = 7788' |
	awk '$4 !~ /%/ { print $4 }' | sort -u | tr '\n' ' ')" '0.0.0.0:7788 [::]:7788 '
both_talk opened
rm $conf_d/open.conf
systemctl reload banterd

step "a bad reload"
printf '\nwrokers = 2\n' >$conf_d/20-bad.conf
tell systemctl reload banterd
is 'systemctl reload' "$rc" 1
tell systemctl show -P StatusText banterd
says 'STATUS has file and line' "$conf_d/20-bad.conf:2: " "$(show StatusText)"
tell journalctl -q -n 5 -o cat -u banterd
says 'the journal has file and line' "$conf_d/20-bad.conf:2: " \
	"$(journalctl -q -u banterd -o cat)"
is 'among the errors' "$(journalctl -q -u banterd -p err -o cat |
	grep -c '20-bad.conf:2')" 1
is 'it runs' "$(systemctl is-active banterd)" active
both_talk refused
rm $conf_d/20-bad.conf
tell systemctl reload banterd
is 'systemctl reload, mended' "$rc" 0
show StatusText | grep -q 20-bad
is 'STATUS still tells of the mistake' "$?" 1

step "kill -9 of every worker, then of every keeper"
for worker in $(pgrep -f 'banterd: worker'); do kill -9 "$worker"; done
both_talk 'no worker'
for keeper in $(pgrep -f 'banterd: keeper'); do kill -9 "$keeper"; done
both_talk 'no keeper'
is 'the master is the same' "$(show MainPID)" "$was"
tell journalctl -q -n 12 -o cat -u banterd

step "upgrade of the package, with clients connected"
before=$(banterctl --version)
tell apt-get -q -y install /package/next.deb </dev/null
is 'apt-get' "$rc" 0
is 'the old conffile was replaced unasked' \
	"$(tail -n 1 /etc/banter/banterd.conf)" '# This line is new.'
is 'what is in conf.d stays' "$(grep -c attic $conf_d/10-local.conf)" 1
is 'the master is the same' "$(show MainPID)" "$was"
is 'no restart but the first' "$(show NRestarts)" 1
says "it runs as $(banterctl --version), no more as $before" \
	"^version: +$(banterctl --version | cut -d' ' -f2)\$" "$(banterctl status)"
is 'no process has the old program' "$(for p in "$was" $(pgrep -f 'banterd: '); do
	readlink "/proc/$p/exe"
done | sort -u)" /usr/sbin/banterd
both_talk upgraded
tell journalctl -q -n 12 -o cat -u banterd
tell systemctl reload banterd
is 'systemctl reload' "$rc" 0
both_talk 'upgraded and reloaded'
was_dog=$(show WatchdogTimestampMonotonic)
fed() { [ "$(show WatchdogTimestampMonotonic)" != "$was_dog" ]; }
wait_until fed
ok $? 'the watchdog is still fed'

step "an upgrade that cannot be"
cp -p /usr/sbin/banterd "$dir/banterd"
cp /bin/false /usr/sbin/banterd.new
mv /usr/sbin/banterd.new /usr/sbin/banterd
tell banterctl upgrade
is 'banterctl upgrade' "$rc" 1
both_talk 'not upgraded'
mv "$dir/banterd" /usr/sbin/banterd
tell banterctl upgrade
is 'banterctl upgrade, of the same version' "$rc" 0
both_talk 'upgraded again'

step "kill -9 of the master"
was=$(show MainPID)
kill -9 "$was"
wait_until replaced
ok $? 'another one has taken its place'

step "the log in a file, rotated"
cat >$conf_d/30-log.conf <<END
log {
	target = "file"
	file = "/var/log/banter/banterd.log"
}
END
exec 3>&- 4>&-
systemctl restart banterd
is 'it runs' "$(systemctl is-active banterd)" active
tell logrotate -f /etc/logrotate.d/banterd
is 'logrotate' "$rc" 0
reopened() { grep -q 'log reopened' /var/log/banter/banterd.log; }
wait_until reopened
ok $? 'the new file is written to'
tell ls -l /var/log/banter
is 'owner, group, mode' "$(stat -c '%U %G %a' /var/log/banter/banterd.log)" \
	'_banter adm 640'
is 'the old one is there' "$(ls /var/log/banter/banterd.log.1)" \
	/var/log/banter/banterd.log.1
rm $conf_d/30-log.conf

step "mistakes"
systemctl stop banterd
is 'the folder of the socket after a stop' "$(ls -d /run/banter 2>&1)" \
	"ls: cannot access '/run/banter': No such file or directory"
printf 'wrokers = 2\n' >$conf_d/20-bad.conf
tell systemctl start banterd
is 'a start with a bad configuration' "$rc" 1
is 'is failed' "$(systemctl is-failed banterd)" failed
is 'with' "$(show ExecMainStatus)" 78
is 'and not tried again' "$(show NRestarts)" 0
rm $conf_d/20-bad.conf
nc -l 127.0.0.1 7788 >/dev/null &
squatter=$!
wait_until sh -c "ss -Hltn 'sport = 7788' | grep -q ."
systemctl reset-failed banterd
systemctl start banterd 2>/dev/null
is 'a port that is taken' "$(show ExecMainStatus)" 69
kill "$squatter"
wait_until systemctl is-active banterd
ok $? 'and given back: it runs by itself'

step "a port below 1024, and another group"
mkdir -p "$drop_in"
zcat -f /usr/share/doc/banterd/examples/low-ports.conf* >"$drop_in/low.conf"
zcat -f /usr/share/doc/banterd/examples/control-group.conf* >"$drop_in/group.conf"
cat >$conf_d/40-low.conf <<END
control_group = "staff"
listen low {
	address = {"127.0.0.1"}
	port = 23
}
END
systemctl daemon-reload
tell systemctl restart banterd
is 'it runs' "$(systemctl is-active banterd)" active
is 'the control socket' "$(stat -c '%G %a' /run/banter/control.sock)" 'staff 660'
tell setpriv --reuid=nobody --regid=staff --clear-groups banterctl rooms
is 'who is in the group may use it' "$rc" 0
tell setpriv --reuid=nobody --regid=nogroup --clear-groups banterctl rooms
is 'who is not may not' "$rc" 77
tell banterctl upgrade
is 'banterctl upgrade' "$rc" 0
tell banterctl upgrade
is 'banterctl upgrade, once more' "$rc" 0
sed -i 's/port = 23/port = 24/' $conf_d/40-low.conf
tell systemctl reload banterd
is 'another such port by a reload' "$(printf '/quit\n' | nc -N 127.0.0.1 24 |
	grep -c 'Welcome to')" 1
rm -r $conf_d/40-low.conf "$drop_in"
systemctl daemon-reload
systemctl restart banterd
cat >$conf_d/40-group.conf <<END
control_group = "_banter"
END
systemctl restart banterd
is 'its own group needs nothing more' \
	"$(stat -c '%G %a' /run/banter/control.sock)" '_banter 660'

step "socket activation"
systemctl stop banterd
zcat -f /usr/share/doc/banterd/examples/banterd.socket* \
	>/etc/systemd/system/banterd.socket
systemctl daemon-reload
tell systemctl start banterd.socket
is 'the socket' "$(systemctl is-active banterd.socket)" active
is 'banterd before the first connection' "$(systemctl is-active banterd)" inactive
is 'who connects is served' "$(printf '/quit\n' | nc -N ::1 7788 |
	grep -c 'Welcome to')" 1
is 'banterd' "$(systemctl is-active banterd)" active
tell banterctl upgrade
is 'banterctl upgrade' "$rc" 0
is 'who connects is served' "$(printf '/quit\n' | nc -N 127.0.0.1 7788 |
	grep -c 'Welcome to')" 1
systemctl stop banterd.socket
rm /etc/systemd/system/banterd.socket
systemctl daemon-reload
systemctl restart banterd

step "remove, purge"
tell apt-get -q -y remove banterd
is 'apt-get' "$rc" 0
is 'no process' "$(pgrep -x banterd)" ''
is 'no port' "$(ss -Hltn 'sport = 7788')" ''
is 'the configuration is kept' "$(ls $conf_d)" "$(printf '10-local.conf\n40-group.conf')"
tell apt-get -q -y purge banterd
is 'apt-get' "$rc" 0
is 'what is left' "$(find / -xdev \( -path /proc -o -path /sys -o -path /tmp \
	-o -path /package -o -path /var/log/journal -o -path /run/log \
	-o -path /var/log/apt \) -prune -o -iname '*banter*' -print)" ''
is 'the user stays' "$(getent passwd _banter | cut -d: -f1)" _banter
is 'failed units' "$(systemctl --failed --plain --no-legend)" ''

printf '\n%s steps passed, %s failed\n' "$((n - failed))" "$failed"
[ "$failed" -eq 0 ]
