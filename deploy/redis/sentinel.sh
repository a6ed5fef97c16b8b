#!/bin/sh
# One of three that watch the master, and name another when two of them miss it.
set -eu
if [ ! -s /data/sentinel.conf ]; then
  cat > /data/sentinel.conf.new <<EOF
dir /data
port 26379
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor parley redis-1 6379 2
sentinel down-after-milliseconds parley 3000
sentinel failover-timeout parley 10000
sentinel parallel-syncs parley 1
EOF
  mv /data/sentinel.conf.new /data/sentinel.conf
fi
exec redis-sentinel /data/sentinel.conf
