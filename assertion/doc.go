// Package assertion tells other services who is logged in: it makes a signed JWT (RFC 7519)
// from a session, which a service in any language verifies with a JOSE library, the public
// keys of Signer.JWKS, and no call to the app or its database.
//
//	app                                        another service
//	session.FromContext ─▶ Signer.Sign ─▶ Authorization: Bearer <assertion> ─▶ verifies
//	                       Signer.JWKS  ◀─ fetches the keys now and then ─────┘
//
// An assertion is made for one call: it lives at most two minutes, and ends with its
// session. Within that time it cannot be revoked: a logout or a ban reaches the app in
// about a second, and the other service when the assertion runs out. Make a new one for
// each call, or for the calls of one request; do not keep it.
//
// An assertion is never a cookie, and is not for browsers: who gets it can use it at its
// audience. sessionkit itself accepts none: neither the guards nor the Manager read it,
// and no session begins by it.
//
// # What the other service checks
//
// The signature, by a key of the JWKS, and by the algorithms ES256 and EdDSA only; the
// header typ, which is Type; iss, which is Config.Issuer; aud, which is its own name; and
// exp. All of them, each time: a JWT that lacks one was made for something else or for
// somebody else.
//
// The header kid names the key. It is the thumbprint of the key (RFC 7638).
//
//	iss, aud   Config.Issuer, and the audience that Sign was given
//	sub, sid   Session.UserID and Session.ID
//	iat, exp   see Signer.Sign
//	jti        random, for a service that accepts each assertion once
//	client_id  Session.Client; left out if a browser holds the session
//	roles      Session.Roles; left out if there are none
//	auth_time  Session.AuthTime; left out in an impersonation
//	amr        Session.Methods (values of RFC 8176); left out in an impersonation
//	act        {"sub": Session.Actor}, in an impersonation only (RFC 8693, section 4.1)
//	attrs      what Config.Attrs names of Session.Attrs
//	data       what Config.Data names of Session.Data
//
// In an impersonation, sub is the user, and act.sub is who acts as them. auth_time and amr
// would tell how somebody else than sub has proved who they are, so they are left out, as
// Session.HasMethod is false. A service that must not be used in an impersonation refuses
// an assertion with act.
package assertion
