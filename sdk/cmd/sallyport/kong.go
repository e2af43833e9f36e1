package main

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// kongExport is what decK dumps, what a gateway without a database reads, or what GET /key-auths of the admin API answers.
type kongExport struct {
	Consumers []kongConsumer `yaml:"consumers"`
	Keys      []kongKey      `yaml:"keyauth_credentials"`
	Data      []kongKey      `yaml:"data"`
}

type kongConsumer struct {
	ID       string    `yaml:"id"`
	Username string    `yaml:"username"`
	CustomID string    `yaml:"custom_id"`
	Keys     []kongKey `yaml:"keyauth_credentials"`
}

type kongKey struct {
	ID        string    `yaml:"id"`
	Key       string    `yaml:"key"`
	TTL       int64     `yaml:"ttl"`        // seconds
	CreatedAt int64     `yaml:"created_at"` // seconds since 1970
	Consumer  yaml.Node `yaml:"consumer"`   // its username, or an object
}

func (c kongConsumer) name() string {
	if c.Username != "" {
		return c.Username
	}
	return c.CustomID
}

// fromKong reads an export of Kong.
func fromKong(data []byte) ([]exportedKey, error) {
	var export kongExport
	if err := decodeExport(data, &export); err != nil {
		return nil, err
	}
	names := make(map[string]string)
	var keys []exportedKey
	for _, c := range export.Consumers {
		if names[c.name()] = c.name(); c.ID != "" {
			names[c.ID] = c.name()
		}
		for _, key := range c.Keys {
			keys = append(keys, key.of(c.name()))
		}
	}
	for _, key := range append(export.Keys, export.Data...) {
		keys = append(keys, key.of(key.owner(names)))
	}
	return keys, nil
}

// owner returns the name of whose key it is, said by name or by id; an id that the export doesn't explain names nobody.
func (k kongKey) owner(names map[string]string) string {
	if k.Consumer.Kind == yaml.ScalarNode {
		if name, known := names[k.Consumer.Value]; known {
			return name
		}
		return k.Consumer.Value
	}
	var said kongConsumer
	if k.Consumer.Kind != yaml.MappingNode || k.Consumer.Decode(&said) != nil {
		return ""
	}
	if said.name() != "" {
		return said.name()
	}
	return names[said.ID]
}

func (k kongKey) of(consumer string) exportedKey {
	key := exportedKey{consumer: consumer, text: k.Key, id: k.ID}
	if k.TTL > 0 && k.CreatedAt > 0 {
		key.expires = time.Unix(k.CreatedAt+k.TTL, 0)
	}
	return key
}
