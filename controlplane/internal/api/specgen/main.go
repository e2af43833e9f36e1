package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
)

const outputFile = "openapi.json"

func main() {
	text, err := generate(os.DirFS("spec"))
	if err == nil {
		err = os.WriteFile(outputFile, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "specgen:", err)
		os.Exit(1)
	}
}

// generate returns the whole document: the files' paths and the messages' schemas.
func generate(files fs.FS) ([]byte, error) {
	whole, err := join(files)
	if err != nil {
		return nil, err
	}
	if err := addAll(section(section(whole, "components"), "schemas"), messageSchemas(), "schema"); err != nil {
		return nil, err
	}
	addIdempotencyKeys(section(whole, "paths"))
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(whole); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
