/// RSA keys for tests, in PEM, of 2048 bits: fixed, so that a failure repeats, and quick, since making one takes 50 ms.
package enum TestKeys {
    /// A private key, PKCS#8.
    package static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDmXqOFnxKpCpEz
        8dhfJAjf9/SjdaPZ9EF6JYEwRLPsXw+MjV6intMoJ/337vakj83H6hkiBzBS5PT4
        KeT2oaYCJImoOH9qljWokp4pO9DVDMcEbGarQVCEPu/GZLCJL2O6XzN0YSrBqojo
        Ia5EeKV28lkYQBZZyK+gj5cAokn4mXCMLqAIx4T2oza5AER2xafxPCJ02ma82Onm
        eHB054V8vjApV3mVh4YCNmXilCFXxvkamJGtmpA/tQXC2BvbMGgrswKoVnTRHyfU
        U0lgZW4W/5Va6/f8t9SzSR0qho8QXx94olSQ50iEbIPUjwvYlDSwM0PHyO+J/uRz
        WhykGPyrAgMBAAECggEAAKlcAnyEDiQOyPfMdFCw1Db9L3o0dgVqjebgyO5yy9Oh
        ZJYm3mNmZ4D9LGmq6PZ2TRNBt+WFpUQsJv1R58jNY4r6FxUP+iw8K/wYweJT+M4R
        CoM5qEYBzlgG/gLY5igR/hvxPfxcLDsIxo8ZyH9Ou3FRtNtzSWaASVvCL6jRZ1g5
        7i0fxpdcUrSm8zSXmW7liWUi/l3BsX/cBIgVSGji4bBF2/JCJOhzzjO/QQ2K5TkP
        wHJGpLBMfHGdIzNSUR67Tn8dHIvru7rSszVmPb94ioey2GJT+Sdl4dfl2otzJ5Qg
        WfaJKrmvEPVXww1+T7Owh4NsQY0RywzBu9oXLp2sNQKBgQD/jzmM1VOoOTsbgjoI
        JaZDePlgGCS2Sve1yQi05L9RI4B3WUUC3tqd0dJ53qigJ5aDqGbpKPk0J1v8x0G/
        mWdJ4r8mqP/tDAahgw3d4YJTnmzzlF1Nan7OiXpG2HTF8wMB2Q3XWKlZ8OfLqaqG
        QE9JRZyKrBl+feHTk6Yn8+fhxQKBgQDmxExKo2GzNVI3F2ZEznF7CpKPr8vU4yPi
        A+VDE6RICOhRwNBUwPdK7oKSzeXWDFgy4bNso4cdqvd7GvKSm/XkPi+F8xCiyfRs
        4jaT3Lt/OswNyaahvcugTeZ9V9RWQQKyBl8t+mmS+DA3MuT/jf6901bDVrq+FlTb
        c2B4QGx7rwKBgQCK8yO2WBLpR1zE4zSMU3QoAXGNdvMXDoHKnCiYujrvcd8ahTYJ
        joPNBVVsH80NbxjeMsTphvagDbptISW1eEH5oUiPS5oDF+PPE0OJ3WAP+PaCJavp
        OLsDryoFtREgw7Vh3tMwwCssFNjjGjf2UKcLTscDevlNlkIf2Iqh9HKihQKBgC4T
        EVxxpIcgZUrknCGuyk+Tu9F+ewcFVtvAhVzQJiPPy3rPMYlKgdVvK5jeDT6gdleq
        YqWVPNv6j7D/n2EQTJcGp3xqHG80PV4kCFubXcA4YBd8pI10lJxsEVIDYDzcfApJ
        ZWWLstqKPS44NiqkEjGaaZ9UyLI9STILpj48Nqy3AoGAJT4R72SbcBT45Rwyys6D
        hkDvdMKL/y0QcvQSzBxt72jYV3D67oXHYX38dcbNcQ9Fa/WRlbHPYd3EkclynDCR
        2+UG7+cwUS3YiXUF3bgYaM71xdM2YQrMLcHNUzkxRI1CGH+uReEvoK28AebxSI8a
        aeHh/6OsVPd1firRVcu4YEA=
        -----END PRIVATE KEY-----
        """

    /// The public half of `privateKey`.
    package static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA5l6jhZ8SqQqRM/HYXyQI
        3/f0o3Wj2fRBeiWBMESz7F8PjI1eop7TKCf99+72pI/Nx+oZIgcwUuT0+Cnk9qGm
        AiSJqDh/apY1qJKeKTvQ1QzHBGxmq0FQhD7vxmSwiS9jul8zdGEqwaqI6CGuRHil
        dvJZGEAWWcivoI+XAKJJ+JlwjC6gCMeE9qM2uQBEdsWn8TwidNpmvNjp5nhwdOeF
        fL4wKVd5lYeGAjZl4pQhV8b5GpiRrZqQP7UFwtgb2zBoK7MCqFZ00R8n1FNJYGVu
        Fv+VWuv3/LfUs0kdKoaPEF8feKJUkOdIhGyD1I8L2JQ0sDNDx8jvif7kc1ocpBj8
        qwIDAQAB
        -----END PUBLIC KEY-----
        """

    /// Another private key, PKCS#8.
    package static let otherPrivateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCzicPKcIN8yxKG
        jpzWQVTIG7ZdxxoqNNy6s+L59OuXAMd+hO3dZlXv+rRAklOWe7su+hSMJdep6bQP
        v6AtmrFyj/QolJ4yJ7NOMxy7jwc6l1BkM4WQMlxzWLHZCqFaQhd0NLbcIaxpF3+d
        1qhBi1S+m3Atw8JCXHaGD4ZfFWuY7m/ofnW8iP7pKj/+UGZyXHYZvOQ0o0HZRr/C
        JY4JuRY2n96KF5GgjbqeYNvw/vIdKymO+H/Jazz3qsKbzfk6hfmJ01zV9//igg+9
        a/lP6+AMlGDtykEAJMPcOCCGBhPSEzSdct/KUF43NNtF/LT5CKpzpP2zGrH+lU+n
        6oCYefUnAgMBAAECggEAMOT75U3vATVsvihonhD8veKOL8vhXE05L799uQTyhBU6
        P0KEZR9RmCF2pX80NG9N8uU4Y1KLAUMcPo25WbIfUUvS+po+2vnk4w8YbBvvpA1B
        X4iIf1S3yNIG3Uz/1EzbhlI02o5xHc3Ae4PSHseLNL2wN0ZwyRHVVX004wA6ZVNV
        besNiJ2sLcaJR6EIf45mm1keujLa9GD/gHVkErzqvTqWz9LNnbLbd4uYTZkDR53K
        cWcE35YQzWnXIjurTSRgLGKIwPAsIZ24nEdq0IZuVlFwL9PpaZl6oQoz675Q0vN7
        gKKqozSSm71+lGRl5aLCUiICCx31rNWkIpC6U8viwQKBgQDZlF0BmKDACCIQvvNX
        Gm1sFU/3cXcGvP1n7brAgqQjt71Yvxo899msVbtMdbySSm5vVGSoNQuPQgd9ftdi
        9CB110CkvNqWvgaxnBcYsz6Tg0k6awkWRbedq1wPjk7ZkQqLkVJPRSLoJOFtC12C
        UzCkNrbtzUzx+6vPcY09wWE9ewKBgQDTPb+GcnZ2e1PQ87ZUwb78kRviRdi8cOm0
        ELQs/r+comFChEhMC7kWgtY3HAAnIRgJTQfgNKH/ITt5Q7UaG3xjNpuYfjGIjrX4
        qla58XT5gZvWvl00ZxQo6J1X6RxeYY9lLEhVr4fMW02o88fJDTikSfLvsfAppy6Q
        gOFDsXw5RQKBgDF+alm+mnKUZwtgJIKf5Fw9zN8A1I6X1x0ZGu5HyYbGeTAC6LkN
        uFpXdi/CaI7ul4iDrhIFXwfLgWCuxdggqHGl8XKH80FvIJ6uXyKjQ4zSxImhZ4PF
        gCtBm8N+H7mmILv25r5Zf8NHAHCJsU/AFMSGHb6igOpa0Y5yyipOHwyZAoGBAIh6
        bpGIxmzKRV7M9tJP0vsPLbrFccBeG0ARQreHZ3jlmH0HRkaLlGus4IX+e0LMqODp
        edsrZjaV2/z+97UEaRsYnvKpJYua2IruUtYT4IWLbYoSt9kxd97uWyn/HCsGUUUG
        lT13CP/JRaWQy1VkS2IpvOGMTyQ6NWV7Pw8jTqUZAoGAHlOa0lH66XZDOS4PH3tF
        TOxSnFLoJHQngJN/3E37ZYLukyjZH29anODeC2Njw0V+x/2m14ZAwZMt1YKUElMw
        PstFrH/bZ/4vb+9G9eNI2TiVyiqEjGGK37fDb87elw/ke9q02Z1m+X25xGjgcF0q
        vwFHN/gxPhyFZ/nbyXPZfb4=
        -----END PRIVATE KEY-----
        """
}
