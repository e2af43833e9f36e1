package main

import (
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource"
)

// messageSchemas returns the schemas of every body: the messages of the admin API, the resources of the
// configuration, and the configurations of all policy kinds.
func messageSchemas() document {
	bodies := resource.AdminMessages()
	for _, t := range resource.Types() {
		bodies = append(bodies, t.New().ProtoReflect().Descriptor())
	}
	for _, kind := range kinds.All() {
		bodies = append(bodies, kind.New().ProtoReflect().Descriptor())
	}
	return resource.Schemas("#/components/schemas/", bodies...)
}
