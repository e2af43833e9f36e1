package waf

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
)

// SampleOf returns what is kept of an inspected request: what rules looked at, without its credentials. It shares the exchange's memory; body is nil
// where none was inspected.
func SampleOf(head *Head, body []byte, refused bool) *samples.Sample {
	s := &samples.Sample{
		Method: head.Method, Path: head.Path, Query: head.Query, Proto: head.Proto, Host: head.Host,
		Body: body, Client: head.Client, Refused: refused,
	}
	for _, f := range head.Header.Fields() {
		s.Header = append(s.Header, samples.Field{Name: f.Name, Value: f.Value})
	}
	samples.Bare(s)
	return s
}

// HeadOf returns the head of a sample, as it was inspected.
func HeadOf(s *samples.Sample) *Head {
	header := new(pipeline.Header)
	for _, f := range s.Header {
		header.Add(f.Name, f.Value)
	}
	return &Head{
		Method: s.Method, Path: s.Path, Query: s.Query, Proto: s.Proto, Host: s.Host,
		Header: header, Decoded: s.Body != nil, Client: s.Client,
	}
}
