package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func (s *Server) listAccessTokens(x *exchange) error {
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Tokens.List(x.context(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) createAccessToken(x *exchange) error {
	var wanted adminv1.AccessToken
	if err := x.decode(&wanted); err != nil {
		return err
	}
	made, err := s.Tokens.Create(x.context(), &wanted)
	if err != nil {
		return err
	}
	x.header().Set(echo.HeaderLocation, "/api/v1/access-tokens/"+made.GetId())
	return x.sendObject(http.StatusCreated, made)
}

func (s *Server) getAccessToken(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	token, err := s.Tokens.Get(x.context(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, token)
}

func (s *Server) deleteAccessToken(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	if err := s.Tokens.Delete(x.context(), key); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}
