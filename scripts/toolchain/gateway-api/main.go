// Command gateway-api prints the custom resource definition of HTTPRoute as JSON.
//
// It is that of the standard channel, taken from the module when this is built.
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/gateway-api/pkg/consts"
	"sigs.k8s.io/yaml"
)

//go:embed gateway.networking.k8s.io_httproutes.yaml
var definition []byte

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gateway-api:", err)
		os.Exit(1)
	}
}

// run refuses a file that is not of the version of the module that says which one it is.
func run() error {
	var parsed struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	converted, err := yaml.YAMLToJSON(definition)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(converted, &parsed); err != nil {
		return err
	}
	if found := parsed.Metadata.Annotations[consts.BundleVersionAnnotation]; found != consts.BundleVersion {
		return fmt.Errorf("the definition is of version %q, the module of %q", found, consts.BundleVersion)
	}
	_, err = os.Stdout.Write(converted)
	return err
}
