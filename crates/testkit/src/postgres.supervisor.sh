# Runs one PostgreSQL server and stops it when no test process has used it for a while.
#
# Arguments: folder of the server's programs, our folder, idle seconds. Test processes hold users.lock shared while
# they live, and start.lock while they look for a server or start one: whoever holds both alone may stop it.
bin=$1 dir=$2 idle_max=$3
"$bin/postgres" -D "$dir/data" -k "$dir" \
    -c listen_addresses= -c unix_socket_permissions=0700 \
    -c max_connections=200 -c shared_buffers=64MB -c fsync=on -c synchronous_commit=on \
    -c log_min_messages=warning </dev/null >>"$dir/server.log" 2>&1 &
server=$!
trap 'kill -INT "$server"' TERM INT HUP
idle=0
while kill -0 "$server" 2>/dev/null; do
    sleep 1
    if flock --nonblock "$dir/users.lock" true; then idle=$((idle + 1)); else idle=0; fi
    if [ "$idle" -ge "$idle_max" ]; then
        flock --nonblock "$dir/start.lock" flock --nonblock "$dir/users.lock" \
            "$bin/pg_ctl" stop -D "$dir/data" -m immediate && rm -rf "$dir/data"
        idle=0
    fi
done
