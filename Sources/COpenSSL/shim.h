// OpenSSL 3, for QuashCrypto alone. Macros that Swift cannot import get a static inline function here.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/pemerr.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

// OSSL_PARAM_BLD_push_BN(3) keeps the pointer to the name, and a Swift string literal has no address that lasts.
static const char *const quash_rsa_modulus = OSSL_PKEY_PARAM_RSA_N;
static const char *const quash_rsa_exponent = OSSL_PKEY_PARAM_RSA_E;
static const int quash_evp_pkey_public_key = EVP_PKEY_PUBLIC_KEY;

static inline int quash_ssl_ctx_require_tls12(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

// Renegotiation and compression are attack surface that TLS 1.3 removed. Tickets would let a client resume, and so
// skip, a verification that a newer configuration would refuse. The chain that is sent is the one in the file: without
// NO_AUTO_CHAIN OpenSSL completes it from the authorities that are there to judge the peer.
static inline void quash_ssl_ctx_harden(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
}

static inline int quash_ssl_set_sni(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}

// An empty memory BIO must read as "come back later" and not as the end of the stream.
static inline void quash_bio_retry_when_empty(BIO *bio) {
    BIO_set_mem_eof_return(bio, -1);
}

static inline size_t quash_bio_memory(BIO *bio, const char **bytes) {
    return (size_t)BIO_get_mem_data(bio, (char **)bytes);
}

// ERR_GET_REASON and ERR_GET_LIB, for the one reason that deserves its own words.
static inline int quash_error_is_passphrase(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ;
}
