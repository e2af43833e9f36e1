package bus

import (
	"bytes"
	"fmt"
	"text/template"
)

// External is what a NATS server that isn't ours to run is told.
type External struct {
	Listen      string // host:port
	ServerName  string
	StoreDir    string // of its streams
	Certificate string // PEM file: its certificate with the chain
	Key         string // PEM file
}

// Configuration returns the configuration file of such a server. It holds no secret: JWTs say whom the server
// believes, and every key stays with the control plane.
func (k *Keys) Configuration(e External) ([]byte, error) {
	operator, err := k.operatorJWT()
	if err != nil {
		return nil, err
	}
	product, err := k.productAccount(nil)
	if err != nil {
		return nil, err
	}
	system, err := k.systemAccount()
	if err != nil {
		return nil, err
	}
	var made bytes.Buffer
	err = externalTemplate.Execute(&made, map[string]any{
		"External": e, "Operator": operator, "Product": product.public, "ProductJWT": product.jwt,
		"System": system.public, "SystemJWT": system.jwt, "MaxPayload": maxPayload, "MaxStore": maxStreamBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("write the server's configuration: %w", err)
	}
	return made.Bytes(), nil
}

var externalTemplate = template.Must(template.New("nats-server.conf").Funcs(template.FuncMap{"quote": quote}).Parse(
	`# A NATS server for Sallyport, written by "sallyport-control bus init". It holds no secret but the path of one.

listen: {{quote .External.Listen}}
server_name: {{quote .External.ServerName}}
max_payload: {{.MaxPayload}}

# TLS of Sallyport's own authority: nodes know the bus by the SPIFFE id in its certificate. The certificate ends:
# write it anew with "bus init" before, and send the server SIGHUP.
tls {
  cert_file: {{quote .External.Certificate}}
  key_file: {{quote .External.Key}}
  min_version: "1.3"
  timeout: 5
}

# An ack before the fsync is a lie that a power cut tells.
jetstream {
  store_dir: {{quote .External.StoreDir}}
  max_file_store: {{.MaxStore}}
  sync_interval: always
}

# Whom the server believes. Control planes tell it of the account's revocations; it keeps what it is told in
# the resolver's folder. What is preloaded counts only while that folder is empty.
operator: {{.Operator}}
system_account: {{.System}}
resolver: {
  type: full
  dir: {{quote (print .External.StoreDir "/accounts")}}
  allow_delete: false
  interval: "2m"
}
resolver_preload: {
  {{.Product}}: {{.ProductJWT}}
  {{.System}}: {{.SystemJWT}}
}
`))

// quote writes a text as the configuration's language takes it.
func quote(s string) string { return fmt.Sprintf("%q", s) }
