/// Certificates for tests of TLS: P-256, valid from 2020 until 2120, known to nobody but these tests.
package enum TestCertificates {
    /// The authority that signed the others.
    package static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBYzCCAQmgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1RdWFzaCB0
        ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
        VQQDDA1RdWFzaCB0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhQ8n
        HdClnQCgKz+Qn+ayIbgA5zgGfSqK49EiBLuVpYdInHS6o9RQlwpnoHJ16ajgAtB5
        xoOY7eqAaUWwSDrik6NCMEAwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMC
        AQYwHQYDVR0OBBYEFLAKGWyWbhgxSgnz2EDciD1RFdRNMAoGCCqGSM49BAMCA0gA
        MEUCIQDTJNwYFywTBYaXuJOIBl2HmR/RPIBMoA4LvuoRmJwO6AIgDqlrweHd6TLE
        q9ajbF8pG1UX4pSFJ9Fn8bNdRjQcDHM=
        -----END CERTIFICATE-----

        """

    /// An authority that signed nothing here.
    package static let otherAuthority = """
        -----BEGIN CERTIFICATE-----
        MIIBbjCCARWgAwIBAgIBAjAKBggqhkjOPQQDAjAeMRwwGgYDVQQDDBNRdWFzaCBv
        dGhlciB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAe
        MRwwGgYDVQQDDBNRdWFzaCBvdGhlciB0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAElNYZoqxEUHqsmjfXWIQZ+GMZcULa0V7bW+uVqxCskKMzxnfw1swY
        6UABnVGCAV7SbZSpoynYxdruLzjO5JMpBqNCMEAwDwYDVR0TAQH/BAUwAwEB/zAO
        BgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFOCXayrjXsYYCs7OIbekQ35aRDu9MAoG
        CCqGSM49BAMCA0cAMEQCIHP35bUFZ5+wNg/rnQIobIggMcQi1kmxg8+S6rubufXO
        AiA4y3kXQOnoCOKAeRqOw1JQRNts2BGcH7r55YIQNEC8iA==
        -----END CERTIFICATE-----

        """

    /// A server: `localhost`, `quash.test`, 127.0.0.1 and ::1 as subject alternative names.
    package static let server = """
        -----BEGIN CERTIFICATE-----
        MIIBxjCCAWygAwIBAgIBAzAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1RdWFzaCB0
        ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAcMRowGAYD
        VQQDDBFRdWFzaCB0ZXN0IHNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
        BO9G+poVfECigtc3mXPjR38bArU/bwbPBjGrVkzfEVICzt+h7hl50MoYPVnlAAqr
        B8ypLcMuKBeZVG9nAVebEDGjgaAwgZ0wDAYDVR0TAQH/BAIwADATBgNVHSUEDDAK
        BggrBgEFBQcDATA4BgNVHREEMTAvgglsb2NhbGhvc3SCCnF1YXNoLnRlc3SHBH8A
        AAGHEAAAAAAAAAAAAAAAAAAAAAEwHQYDVR0OBBYEFPG/zGDm9wWquGf/aGleT3SK
        LdvzMB8GA1UdIwQYMBaAFLAKGWyWbhgxSgnz2EDciD1RFdRNMAoGCCqGSM49BAMC
        A0gAMEUCIQCO2h7cyiVdKG/J4nHOE2OzoSla+GLuxeVh+iLQ9v9eFgIgaEeRFq+F
        /WVk3jUPA9NgS1BB9Cp0MvQLoiJ/95eM4tU=
        -----END CERTIFICATE-----

        """

    /// The private key of `server` and `expiredServer`.
    package static let serverKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTgLt18/mJrjqFeDF
        WqV8PW0GDMozR0ueNrO3lqD53uuhRANCAATvRvqaFXxAooLXN5lz40d/GwK1P28G
        zwYxq1ZM3xFSAs7foe4ZedDKGD1Z5QAKqwfMqS3DLigXmVRvZwFXmxAx
        -----END PRIVATE KEY-----

        """

    /// As `server`, but it ended in February 2020.
    package static let expiredServer = """
        -----BEGIN CERTIFICATE-----
        MIIBwzCCAWqgAwIBAgIBBjAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1RdWFzaCB0
        ZXN0IENBMB4XDTIwMDEwMTAwMDAwMFoXDTIwMDIwMTAwMDAwMFowHDEaMBgGA1UE
        AwwRUXVhc2ggdGVzdCBzZXJ2ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATv
        RvqaFXxAooLXN5lz40d/GwK1P28GzwYxq1ZM3xFSAs7foe4ZedDKGD1Z5QAKqwfM
        qS3DLigXmVRvZwFXmxAxo4GgMIGdMAwGA1UdEwEB/wQCMAAwEwYDVR0lBAwwCgYI
        KwYBBQUHAwEwOAYDVR0RBDEwL4IJbG9jYWxob3N0ggpxdWFzaC50ZXN0hwR/AAAB
        hxAAAAAAAAAAAAAAAAAAAAABMB0GA1UdDgQWBBTxv8xg5vcFqrhn/2hpXk90ii3b
        8zAfBgNVHSMEGDAWgBSwChlslm4YMUoJ89hA3Ig9URXUTTAKBggqhkjOPQQDAgNH
        ADBEAiBaqTpOxNOUlcmiM2HZUrsb0XPpptrTQOSmakfkfT9prAIgO+GIMBqQkGh0
        uMvQlAAIlop/QQOV/CRlTg6BQOmXidg=
        -----END CERTIFICATE-----

        """

    /// A client, for mutual TLS.
    package static let client = """
        -----BEGIN CERTIFICATE-----
        MIIBiTCCATCgAwIBAgIBBDAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1RdWFzaCB0
        ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAcMRowGAYD
        VQQDDBFRdWFzaCB0ZXN0IGNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
        BBU3iPYZLoIhIuxVF71nSKQYupka85+oqrq8GFPWpyuFKEHVywmx+Xk+mwKm0Jsm
        M4i6M6YQ5UkgDVsPmHEwkmCjZTBjMAwGA1UdEwEB/wQCMAAwEwYDVR0lBAwwCgYI
        KwYBBQUHAwIwHQYDVR0OBBYEFHah/DqfzgGnsjfniSQiZEwjpYLLMB8GA1UdIwQY
        MBaAFLAKGWyWbhgxSgnz2EDciD1RFdRNMAoGCCqGSM49BAMCA0cAMEQCIGhewL1p
        om5cNZMHpWgIzH8dz+JGUwxhxMkoKiajI+EOAiBcTwcsnMM0q5RdliJA/kg2K+cW
        DG7GMxpOwrqU/0H8Kg==
        -----END CERTIFICATE-----

        """

    /// The private key of `client`.
    package static let clientKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAfVCSTrW/do+i7Po
        Tds9ctmVexqBsVM53voXh5nOPrGhRANCAAQVN4j2GS6CISLsVRe9Z0ikGLqZGvOf
        qKq6vBhT1qcrhShB1csJsfl5PpsCptCbJjOIujOmEOVJIA1bD5hxMJJg
        -----END PRIVATE KEY-----

        """

    /// A server whose name `quash.test` is only the common name, which RFC 9525 does not count.
    package static let commonNameServer = """
        -----BEGIN CERTIFICATE-----
        MIIBgjCCASmgAwIBAgIBBTAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1RdWFzaCB0
        ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAVMRMwEQYD
        VQQDDApxdWFzaC50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExGiMsmE3
        0VQ16mx8Uvusx+GBYwfcwF3i9Hn0a747ekxwzMTbNpia6kpZpvFT+WZ0SmbxYMz9
        QXzcO4oGaZ5XEqNlMGMwDAYDVR0TAQH/BAIwADATBgNVHSUEDDAKBggrBgEFBQcD
        ATAdBgNVHQ4EFgQUyH7QnCAx+i37xRq+vA+WUbsLHAYwHwYDVR0jBBgwFoAUsAoZ
        bJZuGDFKCfPYQNyIPVEV1E0wCgYIKoZIzj0EAwIDRwAwRAIgboShd+wQEDVRV/fH
        Fdeq1eJOg+iGFUJH2U5tecWKJFACIENrCgB+rLxGq93Ei+eFbPotMI4fqXRNRaWj
        BcSQOCcI
        -----END CERTIFICATE-----

        """

    /// The private key of `commonNameServer`.
    package static let commonNameServerKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1BuyeAuM1/v9dbrc
        Rtv0wZlLMe/VOwBR45I6RrGUuZihRANCAATEaIyyYTfRVDXqbHxS+6zH4YFjB9zA
        XeL0efRrvjt6THDMxNs2mJrqSlmm8VP5ZnRKZvFgzP1BfNw7igZpnlcS
        -----END PRIVATE KEY-----

        """
}
