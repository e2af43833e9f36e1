package resource

import (
	_ "embed"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The generated Go code holds no comments, so the descriptors come a second time, with them.
//
//go:generate ../../bin/buf build .. --path ../sallyport --exclude-imports --as-file-descriptor-set -o descriptors.binpb

//go:embed descriptors.binpb
var descriptorSet []byte

// comments holds the comment of each message, field, enum and value by its full name. It is read when a schema is first asked
// for: an edge node never does.
var comments = sync.OnceValue(func() map[protoreflect.FullName]string {
	all := map[protoreflect.FullName]string{}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(descriptorSet, set); err != nil {
		return all // a test proves that this can't be
	}
	for _, description := range set.GetFile() {
		file, err := protodesc.NewFile(description, protoregistry.GlobalFiles)
		if err != nil {
			continue
		}
		collectMessages(all, file, file.Messages())
		collectEnums(all, file, file.Enums())
	}
	return all
})

// Comment returns what the .proto says above a message, field, oneof, enum or enum value: paragraphs with a blank line between them.
func Comment(d protoreflect.Descriptor) string { return comments()[d.FullName()] }

func collectMessages(all map[protoreflect.FullName]string, file protoreflect.FileDescriptor, messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		m := messages.Get(i)
		collect(all, file, m)
		for j := range m.Fields().Len() {
			collect(all, file, m.Fields().Get(j))
		}
		for j := range m.Oneofs().Len() {
			collect(all, file, m.Oneofs().Get(j))
		}
		collectMessages(all, file, m.Messages())
		collectEnums(all, file, m.Enums())
	}
}

func collectEnums(all map[protoreflect.FullName]string, file protoreflect.FileDescriptor, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		e := enums.Get(i)
		collect(all, file, e)
		for j := range e.Values().Len() {
			collect(all, file, e.Values().Get(j))
		}
	}
}

func collect(all map[protoreflect.FullName]string, file protoreflect.FileDescriptor, d protoreflect.Descriptor) {
	if text := paragraphs(file.SourceLocations().ByDescriptor(d).LeadingComments); text != "" {
		all[d.FullName()] = text
	}
}

// paragraphs joins the lines of a comment: how long a line of the source is says nothing.
func paragraphs(comment string) string {
	var b strings.Builder
	gap := ""
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(line)
		if line == "" {
			if b.Len() > 0 {
				gap = "\n\n"
			}
			continue
		}
		b.WriteString(gap)
		b.WriteString(line)
		gap = " "
	}
	return b.String()
}
