// Command caddy is Caddy with its standard modules and ADX's own (the other
// files of this folder): a gateway that splits the traffic of a service over
// its releases, told so through the admin API, without ever reloading.
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
