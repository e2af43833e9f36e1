package audit

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Facts are what there is to show of something that is no object of the API.
func Facts(facts map[string]string) proto.Message {
	fields := make(map[string]*structpb.Value, len(facts))
	for name, value := range facts {
		fields[name] = structpb.NewStringValue(value)
	}
	return &structpb.Struct{Fields: fields}
}
