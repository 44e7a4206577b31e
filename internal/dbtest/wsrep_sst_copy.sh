#!/bin/sh
# A state snapshot transfer for Galera nodes that share a file system: the donor
# copies its data into the joiner's directory. The server runs this script on both
# nodes, and reads its standard output line by line.
set -eu

role='' datadir='' address='' gtid='' bypass=''
while [ $# -gt 0 ]; do
	case $1 in
	--role) role=$2 && shift ;;
	--datadir) datadir=${2%/} && shift ;;
	--address) address=$2 && shift ;;
	--gtid) gtid=$2 && shift ;;
	--bypass) bypass=yes ;;
	esac
	shift
done

# wait_for waits 30 s for a file. The other node may have failed.
wait_for() {
	left=1500
	while [ ! -e "$1" ]; do
		[ $left -gt 0 ] && [ -d "$datadir" ] || exit 1
		left=$((left - 1))
		sleep 0.02
	done
}

if [ "$role" = joiner ]; then
	rm -f "$datadir/arrived"
	# Only the path after the slash is used, but the server requires an address before it.
	echo "ready 127.0.0.1:1$datadir"
	wait_for "$datadir/arrived"
	cat "$datadir/arrived"
	rm "$datadir/arrived"
	exit
fi

to=/${address#*/}
if [ -z "$bypass" ]; then
	echo "flush tables"
	wait_for "$datadir/tables_flushed"
	read -r gtid _ <"$datadir/tables_flushed"
	rm "$datadir/tables_flushed"
	find "$to" -mindepth 1 -delete
	# galera.cache and g*state.dat are not copied: each node has its own.
	find "$datadir" -mindepth 1 -maxdepth 1 ! -name galera.cache ! -name 'g*state.dat' -exec cp -a {} "$to" ';'
	echo continue
fi
echo "$gtid" >"$to/arriving"
mv "$to/arriving" "$to/arrived"
echo "done $gtid"
