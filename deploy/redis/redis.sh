#!/bin/sh
# redis.sh NAME [MASTER]: one of three, at first the master or a replica of it. Sentinel decides after that, and has it
# written into this file.
set -eu
if [ ! -s /data/redis.conf ]; then
  cat > /data/redis.conf.new <<EOF
dir /data
bind * -::*
# Nobody outside the compose network reaches it.
protected-mode no
# Every 202 that was given outlives a kill; a queue refuses what it cannot hold, and never forgets what it has taken.
appendonly yes
maxmemory-policy noeviction
save ""
# By name: a container that is made anew has another address.
replica-announce-ip $1
# A master that nobody follows may be one that has been replaced already: it takes nothing that would be lost.
min-replicas-to-write 1
min-replicas-max-lag 10
EOF
  if [ $# -gt 1 ]; then echo "replicaof $2 6379" >> /data/redis.conf.new; fi
  mv /data/redis.conf.new /data/redis.conf
fi
exec redis-server /data/redis.conf
