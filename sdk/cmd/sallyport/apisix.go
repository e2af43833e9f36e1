package main

import (
	"slices"
	"strings"
)

// apisixExport is what GET /apisix/admin/consumers answers (version 3, or 2), also with a consumer's credentials, or what a gateway
// reads that stands alone.
type apisixExport struct {
	List      []apisixItem   `yaml:"list"`
	Node      apisixNode     `yaml:"node"`
	Consumers []apisixObject `yaml:"consumers"`
	Key       string         `yaml:"key"`
	Value     *apisixObject  `yaml:"value"`
}

type apisixNode struct {
	Nodes []apisixItem `yaml:"nodes"`
}

type apisixItem struct {
	Key   string       `yaml:"key"` // where it lies: "/apisix/consumers/jack/credentials/main"
	Value apisixObject `yaml:"value"`
}

type apisixObject struct {
	ID       string `yaml:"id"`
	Username string `yaml:"username"`
	Plugins  struct {
		KeyAuth *struct {
			Key string `yaml:"key"`
		} `yaml:"key-auth"`
	} `yaml:"plugins"`
}

// fromAPISIX reads an export of APISIX.
func fromAPISIX(data []byte) ([]exportedKey, error) {
	var export apisixExport
	if err := decodeExport(data, &export); err != nil {
		return nil, err
	}
	items := slices.Concat(export.List, export.Node.Nodes)
	for _, c := range export.Consumers {
		items = append(items, apisixItem{Value: c})
	}
	if export.Value != nil {
		items = append(items, apisixItem{Key: export.Key, Value: *export.Value})
	}
	var keys []exportedKey
	for _, item := range items {
		if item.Value.Plugins.KeyAuth == nil {
			continue // it has no key
		}
		owner, credential := item.owner()
		keys = append(keys, exportedKey{consumer: owner, text: item.Value.Plugins.KeyAuth.Key, id: credential})
	}
	return keys, nil
}

// owner returns whose key it is, and the credential's id if it is one of several.
func (i apisixItem) owner() (consumer, credential string) {
	if i.Value.Username != "" {
		return i.Value.Username, ""
	}
	_, place, _ := strings.Cut(i.Key, "/consumers/")
	consumer, rest, _ := strings.Cut(place, "/")
	credential, _ = strings.CutPrefix(rest, "credentials/")
	return consumer, credential
}
