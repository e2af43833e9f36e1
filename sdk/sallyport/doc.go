// Package sallyport is the Go client of Sallyport's admin API.
//
// It owns a connection's base address and token ([New]), and problems as errors ([Problem.Error],
// [Check]). Everything else, a method for each operation and a type for each body, is generated out of
// the API's OpenAPI document into client.gen.go: the document is the contract, and its descriptions are
// the documentation.
//
// Data flows value → JSON → the admin API → JSON → value; nothing is kept between calls.
//
//	client, err := sallyport.New("https://control.example.com", os.Getenv("SALLYPORT_TOKEN"))
//	answer, err := client.CreateServiceWithResponse(ctx, "production", nil, sallyport.Service{…})
//	if err := sallyport.Check(answer, err); err != nil {
//		return err
//	}
//	fmt.Println(answer.JSON201.ID)
package sallyport

//go:generate oapi-codegen -config oapi.yaml ../../controlplane/internal/api/openapi.json
