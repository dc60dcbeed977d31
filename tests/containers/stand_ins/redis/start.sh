# As the official image does: give the volume to the user redis, then run as that user.
set -eu
if [ "$1" = redis-server ] && [ "$(id -u)" -eq 0 ]; then
  chown -R redis:redis .
  set -- gosu redis "$@" --protected-mode no
fi
exec "$@"
