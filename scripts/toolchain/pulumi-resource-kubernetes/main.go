// Command pulumi-resource-kubernetes is Pulumi's Kubernetes provider. Its two
// JSON files come from the provider's own module and are laid beside this file
// when it is built (see recipe.toml), so that they are never committed.
package main

import (
	"bytes"
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, versioned(schema), terraformMapping)
}

// versioned adds the version that upstream's own generator would have added:
// the schema in the module's source has none.
func versioned(schema []byte) []byte {
	name := []byte(`"name": "kubernetes",`)
	return bytes.Replace(schema, name, append(name, []byte(` "version": "`+version.Version+`",`)...), 1)
}
