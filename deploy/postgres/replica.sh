#!/bin/sh
# A copy of the primary the first time, and from then on whatever the primary says. One that has been away for longer
# than the primary keeps its log (wal_keep_size) is made anew: remove its volume.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # What a copy that was broken off has left.
  rm -rf "$PGDATA"
  pg_basebackup --write-recovery-conf --wal-method=stream --checkpoint=fast --pgdata="$PGDATA.new" \
    --dbname="host=postgres user=replicator password=$REPLICATION_PASSWORD application_name=replica"
  chmod 0700 "$PGDATA.new"
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres "$@"
