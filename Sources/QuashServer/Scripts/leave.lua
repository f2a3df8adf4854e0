-- leave(node): gives the lease back, so that no confirmation waits for this node.
redis.call('HDEL', KEYS[1], ARGV[1])
return {'left'}
