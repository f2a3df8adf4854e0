// libyaml, for QuashServer's configuration file alone.
#include <yaml.h>
