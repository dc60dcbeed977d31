# Takes SeaweedFS's arguments and needs none of them. It ends when either server ends.
set -u
mkdir -p /data/buckets
rclone serve s3 --addr 127.0.0.1:9000 \
  --auth-key "$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY" /data/buckets &
nginx -g 'daemon off;' &
trap 'kill $(jobs -p); wait; exit 0' TERM INT
wait -n
kill $(jobs -p)
exit 1
