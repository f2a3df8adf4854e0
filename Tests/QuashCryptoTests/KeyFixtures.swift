/// Keys that must be accepted in another form, or refused.
enum KeyFixtures {
    /// `TestKeys.privateKey` as PKCS#1.
    static let pkcs1 = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEowIBAAKCAQEA5l6jhZ8SqQqRM/HYXyQI3/f0o3Wj2fRBeiWBMESz7F8PjI1e
        op7TKCf99+72pI/Nx+oZIgcwUuT0+Cnk9qGmAiSJqDh/apY1qJKeKTvQ1QzHBGxm
        q0FQhD7vxmSwiS9jul8zdGEqwaqI6CGuRHildvJZGEAWWcivoI+XAKJJ+JlwjC6g
        CMeE9qM2uQBEdsWn8TwidNpmvNjp5nhwdOeFfL4wKVd5lYeGAjZl4pQhV8b5GpiR
        rZqQP7UFwtgb2zBoK7MCqFZ00R8n1FNJYGVuFv+VWuv3/LfUs0kdKoaPEF8feKJU
        kOdIhGyD1I8L2JQ0sDNDx8jvif7kc1ocpBj8qwIDAQABAoIBAACpXAJ8hA4kDsj3
        zHRQsNQ2/S96NHYFao3m4MjucsvToWSWJt5jZmeA/Sxpquj2dk0TQbflhaVELCb9
        UefIzWOK+hcVD/osPCv8GMHiU/jOEQqDOahGAc5YBv4C2OYoEf4b8T38XCw7CMaP
        Gch/TrtxUbTbc0lmgElbwi+o0WdYOe4tH8aXXFK0pvM0l5lu5YllIv5dwbF/3ASI
        FUho4uGwRdvyQiToc84zv0ENiuU5D8ByRqSwTHxxnSMzUlEeu05/HRyL67u60rM1
        Zj2/eIqHsthiU/knZeHX5dqLcyeUIFn2iSq5rxD1V8MNfk+zsIeDbEGNEcsMwbva
        Fy6drDUCgYEA/485jNVTqDk7G4I6CCWmQ3j5YBgktkr3tckItOS/USOAd1lFAt7a
        ndHSed6ooCeWg6hm6Sj5NCdb/MdBv5lnSeK/Jqj/7QwGoYMN3eGCU55s85RdTWp+
        zol6Rth0xfMDAdkN11ipWfDny6mqhkBPSUWciqwZfn3h05OmJ/Pn4cUCgYEA5sRM
        SqNhszVSNxdmRM5xewqSj6/L1OMj4gPlQxOkSAjoUcDQVMD3Su6Cks3l1gxYMuGz
        bKOHHar3exrykpv15D4vhfMQosn0bOI2k9y7fzrMDcmmob3LoE3mfVfUVkECsgZf
        LfppkvgwNzLk/43+vdNWw1a6vhZU23NgeEBse68CgYEAivMjtlgS6UdcxOM0jFN0
        KAFxjXbzFw6BypwomLo673HfGoU2CY6DzQVVbB/NDW8Y3jLE6Yb2oA26bSEltXhB
        +aFIj0uaAxfjzxNDid1gD/j2giWr6Ti7A68qBbURIMO1Yd7TMMArLBTY4xo39lCn
        C07HA3r5TZZCH9iKofRyooUCgYAuExFccaSHIGVK5JwhrspPk7vRfnsHBVbbwIVc
        0CYjz8t6zzGJSoHVbyuY3g0+oHZXqmKllTzb+o+w/59hEEyXBqd8ahxvND1eJAhb
        m13AOGAXfKSNdJScbBFSA2A83HwKSWVli7Laij0uODYqpBIxmmmfVMiyPUkyC6Y+
        PDastwKBgCU+Ee9km3AU+OUcMsrOg4ZA73TCi/8tEHL0Eswcbe9o2Fdw+u6Fx2F9
        /HXGzXEPRWv1kZWxz2HdxJHJcpwwkdvlBu/nMFEt2Il1Bd24GGjO9cXTNmEKzC3B
        zVM5MUSNQhh/rkXhL6CtvAHm8UiPGmnh4f+jrFT3dX4q0VXLuGBA
        -----END RSA PRIVATE KEY-----
        """

    /// `TestKeys.privateKey`, encrypted.
    static let encryptedPKCS8 = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI5zvF+1B2sMoCAggA
        MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBC4yosX6c8JNQDI4uFyZaapBIIE
        0Gyp2+Jbr6OW6DCWgz2A1kd0Q36JDBkN3hXKyGxSU+yqma5huQjIwycMVqIzCZuS
        aB8AdOuzBqjpA0z9YCDKciSX4g0vHpJfnDwteD5znR939Q++HFiaPDzh48HbyQr2
        FXqXmphpwYdWBvBFFSyo5RbOz/mui2/fbn6Y7xwXIbddetkEObNUTa3VGnq+xhB9
        dcCwUf2UYGMRG4rdHMqn8TCxevLnP/B7a562gz1BqNdciiaGU2jrsmG81bBW9Ne9
        l4UzT9Vke8ZrDB17SH2cy1IP2N809xl5LA+0WHpL0gnypD6KnSVZ2Odnh8PY4UGP
        /XCPGaGc+AUePfOfEIQvUgohaUOb/Zab11IbCDbvOx/37CwLvKUWYhbjQVsERrz7
        5BQ3JHdWTaV6FReqt3W4QeXaVLUhnw54iQGAzOHZvpIC+tlu2TDiFmWHXXT8MBWF
        0FTzuaA9YAMNRO2qDqBz0StxoknbbRubTce3EOpay2vjf0Z5gwEOgXAqVXVplP1n
        bBUEyPKau5EDdryhEy/CrSMjvCNkEQCTobtAWfH5WX6KNDAqrkOXfPSA31ekTfHZ
        jLR49MbaePsCxM1b8JrEmQEUVx1OJdZ0eR6v9cTUsJUFzqPCR/h/JcgjgZtxZgwY
        EHRPjoF1R8k3TD+l26HCPqix7WpmHQPlFLt5fVLDyoOSmnTtdhlwSwL3Tp/JNY7j
        b7DSPP+Q9WJPFOdc/dp7rOuwsAfuZoxlhq7j9C/JcZMAAjGgmVb2E6FlGer6a2er
        StiBfXE+yM14MmALUbkJqOHcR1TliiYi9RsgMONP9oJXi4vjv62g+TG1OznirquN
        ymbcwz+/Os4gZQB9dc+vCVHmiofQpStfupG31tvz6OocgatwJMjE7AR3acX1kBb+
        JC94zlX7s9+oah9oMtl1hneoDpWn3IIYLdxU3N/XMUTByyQ6khWU5oolRlK0tzXl
        Ax9X/3y76wC9h/lObntpzKyiV/zaUefqr5Z3FA+PfiNHkuSZe9rQ4DaBVReTYpE7
        hDtafPXEcwJ0j3ob6LDWlH+J/ICMu6SBLLqzMWjRbsT6KGoUR5BihRB3dFrtUont
        D2e3kXy7KMZVeY6LqmPH2evTzLsp+pm58hSSSq1femPsoocBSU8jM6g0KC0NDjUr
        kYbnFdKkNAoRAVNTJx3e2VTEaDs9cz3RQ17MetRi7Guh7NOalWqhzEE5J9lcdbVd
        d4Qc0Kka4u5Q2R78UaKa5SOAQEkLU0u6EDXmNn5J5WNzzm413K+y2pv/2vabQRZb
        is3bBZM0B9de4FUS/cabO+yCgLmKWGQe4rTC92p7WhdyG7vByshdNQZ5+PcnHth/
        syeHuWwKGYUMbFsMNUKFNgH07pCvBjsGBNcpAu4S6j9xfYrnmsj48xgIpJgoBRAz
        KrPdye3guT0eGP7/HHzwffoVugkgojJqX7YbFWOCiEhagynpiPOdT1GpToV221nG
        CgaPKx4F/Twn27796ONs21AEm79zOFkCLLYbTVYXPOS2qTweta6ZfVUnAyZeCVqS
        AnNB3Z+zw/lyh5h7O96g4KqM/bhRbGqi2/NtojnIHFAVpQvAVBH7RbPi+UssajLJ
        CnMRbJs9eBjX/x4RmxD2yukhvJ4z4t/9OnRE0h03+7yb
        -----END ENCRYPTED PRIVATE KEY-----
        """

    /// `TestKeys.privateKey`, encrypted in the old form.
    static let encryptedPKCS1 = """
        -----BEGIN RSA PRIVATE KEY-----
        Proc-Type: 4,ENCRYPTED
        DEK-Info: AES-128-CBC,BBBD2E766C29F83BD41918C029100FFA

        4RjgRkPYVLceBguM7EeIcEYEazo/6ig3t6PfPl6xKLL+iXby57Ok6LpxzGrao201
        Q5eTZWQGC+sEY7Cz3bSfSsBQCS0tTNWDgXwdx4twZBjvKMNOIPE1PZSX72EYnJCt
        xxpWGLzENg3N9Z0bFhoLiNcfcls4G29feFL5nuueUOp8KzRii2R7mjo+/b17OJ6t
        8MCpy5KThtNZHHD1u1HfCAZjnGEvzgXdZHc9R+dF2hkFOCHD6/dK2akBPpsdb05y
        acfnEKiytMvcd0DQLPn4ha1t8RY5ZK9RWdy0kYUOoZgzGg+me389A5ekidGe3IX7
        lR/MShPOb6EDfDw8BTnHiZa0iNi4qDc+reZrooXqwxG9kOXT6u+WX+rSH5LK8as8
        oAFQPy+D6C3PtogtkJ6pXIFgoTwaYFDYpCNMFao5ejINSQV6Fq/8s5YPT7j6Eg/V
        yuQO13neLQhdCVhVgC/5uQWO8C1RwwxkSqgKoeMKsrfrqJYDb4SZ5zEcPdKJeE4t
        c3DHU6Ifp/m0XG2ytwswb0OaunTgWmJ42/yg3U9cFbVH2G3os6uZor0NBqFp+Uiy
        QXqlcsdOV/d956mMCfrmoep/M6UIjG0BtFHrDX/4Ily80vJCgLUZyqykonMoSJjk
        KzSmJusWE08a/rnFMPA2phEwU8aaGGBGW6GZEld38NA4+HqRyL5Xv3k/3ozrEzVQ
        coCvvcw4WE/n7zsTAXWN9LBDKgd5MaPZ+E/u8SiFx2wOy+QnS8WtVoYq+DISYoXl
        MBubgdPxbtFK2VONh+MlVNEnGjSvEcO4tqe8Go4nd6yIrO5I8l5GmXqwN2/UuL+9
        Rq8l0UsLIIHRbFVSWaumP2JBy4TvxPVfblzx1BiFxbShH1+e0mCKT/zm6f6XWLxk
        Hvg1oGWJnXYa/IaUrUYATJQZGmp+piaAPVklFz8X2NnaL0jRvt5PEqDz05FH90On
        41Xci95l501eWnOJCJO6AXmj020gpIYE4ySXPeEPolmjsN723OsfPBGflsOPIFw1
        gltvcXW21M9rC6Q0/fZDoynU4wUtlJ2RSJMDlJHDk49+Pm4Jgxy6ZzJAKJsGc+n9
        FmJ8r+Yr4CtV839xq1i+DCDMSoBJAwtFH/g1dRlmLR3cAyPZO8b+Y3Vq591q6QgD
        PA3JSwqdPNvOr20/FF3PU8f3cdDv6lQ+gZU/KkhFYHIeqxHfXAEmQQQh0pfpYctF
        PBSY9hUOYd+p/+6UxYMkg2y7T2lDkyaks95PnX7U3u5c8HVcWVU5wXB7qbVudaCz
        pTs2tqUpGZlMbm48tp5w2X855REbxtwZ52NjstbdPYqCoF/lWl8mYCqrzCJt/fRs
        UGGPmy/95RILGhfR5/KOu4xq2+fAeiEgFMGkJm5ZtXLWX/4uFU9f0ecfkaeW3i1S
        jI88vI46S793zQbNjhKKWyG8Ts4igUMCvMw1h0DhgvPcukoPV3O1YqYRV7/ymcWC
        QVG/a2WiiZZaUc9M94rfmCPKsDYgFbqwrRC+CdD02nbsg61bKdw/kzKEOI61LpoU
        gR6v0hDQTPUSjjdVp0vpJkoFWjeWw1Qj6E9mZykU4teaxe40bRygKwhADKpWEdf5
        -----END RSA PRIVATE KEY-----
        """

    /// `TestKeys.privateKey` as PKCS#1 with one bit of the modulus changed.
    static let damaged = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEowIBAAKCAQEA5l6jhZ8SqQqRM/HYXyQI3/f0o3Wj2fRBeiWBMESz7F8PjI1e
        op7TKCf99+72pI/Nx+oZIgcwUuT0+Cnk9qGmAiSJqDh/apY1qJKeKTvQ1QzHBGxm
        q0FQhD7vxmSwiS9jul8zdHEqwaqI6CGuRHildvJZGEAWWcivoI+XAKJJ+JlwjC6g
        CMeE9qM2uQBEdsWn8TwidNpmvNjp5nhwdOeFfL4wKVd5lYeGAjZl4pQhV8b5GpiR
        rZqQP7UFwtgb2zBoK7MCqFZ00R8n1FNJYGVuFv+VWuv3/LfUs0kdKoaPEF8feKJU
        kOdIhGyD1I8L2JQ0sDNDx8jvif7kc1ocpBj8qwIDAQABAoIBAACpXAJ8hA4kDsj3
        zHRQsNQ2/S96NHYFao3m4MjucsvToWSWJt5jZmeA/Sxpquj2dk0TQbflhaVELCb9
        UefIzWOK+hcVD/osPCv8GMHiU/jOEQqDOahGAc5YBv4C2OYoEf4b8T38XCw7CMaP
        Gch/TrtxUbTbc0lmgElbwi+o0WdYOe4tH8aXXFK0pvM0l5lu5YllIv5dwbF/3ASI
        FUho4uGwRdvyQiToc84zv0ENiuU5D8ByRqSwTHxxnSMzUlEeu05/HRyL67u60rM1
        Zj2/eIqHsthiU/knZeHX5dqLcyeUIFn2iSq5rxD1V8MNfk+zsIeDbEGNEcsMwbva
        Fy6drDUCgYEA/485jNVTqDk7G4I6CCWmQ3j5YBgktkr3tckItOS/USOAd1lFAt7a
        ndHSed6ooCeWg6hm6Sj5NCdb/MdBv5lnSeK/Jqj/7QwGoYMN3eGCU55s85RdTWp+
        zol6Rth0xfMDAdkN11ipWfDny6mqhkBPSUWciqwZfn3h05OmJ/Pn4cUCgYEA5sRM
        SqNhszVSNxdmRM5xewqSj6/L1OMj4gPlQxOkSAjoUcDQVMD3Su6Cks3l1gxYMuGz
        bKOHHar3exrykpv15D4vhfMQosn0bOI2k9y7fzrMDcmmob3LoE3mfVfUVkECsgZf
        LfppkvgwNzLk/43+vdNWw1a6vhZU23NgeEBse68CgYEAivMjtlgS6UdcxOM0jFN0
        KAFxjXbzFw6BypwomLo673HfGoU2CY6DzQVVbB/NDW8Y3jLE6Yb2oA26bSEltXhB
        +aFIj0uaAxfjzxNDid1gD/j2giWr6Ti7A68qBbURIMO1Yd7TMMArLBTY4xo39lCn
        C07HA3r5TZZCH9iKofRyooUCgYAuExFccaSHIGVK5JwhrspPk7vRfnsHBVbbwIVc
        0CYjz8t6zzGJSoHVbyuY3g0+oHZXqmKllTzb+o+w/59hEEyXBqd8ahxvND1eJAhb
        m13AOGAXfKSNdJScbBFSA2A83HwKSWVli7Laij0uODYqpBIxmmmfVMiyPUkyC6Y+
        PDastwKBgCU+Ee9km3AU+OUcMsrOg4ZA73TCi/8tEHL0Eswcbe9o2Fdw+u6Fx2F9
        /HXGzXEPRWv1kZWxz2HdxJHJcpwwkdvlBu/nMFEt2Il1Bd24GGjO9cXTNmEKzC3B
        zVM5MUSNQhh/rkXhL6CtvAHm8UiPGmnh4f+jrFT3dX4q0VXLuGBA
        -----END RSA PRIVATE KEY-----
        """

    /// RSA of 1024 bits.
    static let bits1024 = """
        -----BEGIN PRIVATE KEY-----
        MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAOrNU3J+J0FMQdwL
        SA06+uHUR/knA3uIrhhe0g/H6EDTOEQc8GNOOZjESQcvUoeDNzsiQSHGcc6rsuDm
        alrScRY7YtQY0lC26Ah9ivAkUOiQyBzqfjY14uK7GRhQCrD39gPxktsKx+BRy+h0
        YLhqbuwmODIv36oPyNAdm3LFFoVxAgMBAAECgYEA3onQRzlttyOxX/6JQZDe616p
        AGmLkW/PoWVtLmvHonkOYPAUneosCLAwjtC5JZqlpDQpCvvsLXbqSOHZd07wwdKe
        8JzOP3YqdYfl/lCTqlHs8J42aAdNAjJdV2jNpcvVYTJkacaj5pzdkldOmT+xOsTp
        Yj6k5wysxUmQU8ZzJWkCQQD6AaCViTau7IY8Kx5SM7TTTNKJd4CK6VYZ/2NUfe5U
        4HLfkBd+y4JF9YihkhaEcf+ccwQ61fqyqqbagG9RQ5SrAkEA8G5igbdCQT8LUSUa
        wGzEZ6a4Xhy705dxvlcExfuqiXPDK/PtCYsJ6GAqgTTss5r4upWH3uahEoD1+S9J
        F/P2UwJAWZTZsJtRD87KrqaYn8XNRmVhj0ZVtfC0HG6pbe4NxzYBk1/zO0i6rkyz
        n4lULjMW7z07R8XCpeCGFwcsXAcGLwJBAJQsIy84Bm/5b3sJt+vg3EXYvITbhnHH
        QoUAUePFznq5Sg3bXTjlZCy+n1NTj5C8sA8lOkAHuDqUGYMBPjWx1xsCQHBpQZOh
        KY6psQU9ZcC/zEt3wehlDvscTQkeAm1FwB8Y6hA8xc3zLzc/PFYMtNUM3N8LMBoP
        bOs4A2hTYJch0kc=
        -----END PRIVATE KEY-----
        """

    /// RSA of 2048 bits with the exponent 3.
    static let exponent3 = """
        -----BEGIN PRIVATE KEY-----
        MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCiecbsgl4W7MvO
        FLaQcMDgES912Y38ucCNxi2X2DHnGEVbIwJ18mehTZvy3xK1JPIlU2lVNqTQI9Lv
        8Smftx4yD0dRUnBtqxwUoONwKauTzpF/V9fW6bsMd0Vwx+AKS54vTUJ8JG0AemsZ
        +fMDcjxYs1W7u9s5uu1WP2sD6nvkyRD3TjD2Q8HutkJBVZW9i9DzNP2Id1IntIZm
        EXXvztZpYASo/BhMsoAFbLIlU5Fb9IrgrWx6bn7HDXQY/3Rs6JR1wO0mF9XMBKER
        ffFRcdhsNKn4avOh95pFV5HwGovXsAr2kYa/7P0dxMeAp6LyV2TKY55c7FSfLviY
        7uHNzNvjAgEDAoIBAGxRL0hW6WSd3TQNzwr11eq2H6PmXqh71bPZc7qQIUS62Ods
        rE6hmmuJEqHqDHjDTBjiRjjPGIrCjJ/2G7/PaXa02jY29Z5yErhrQkrGcmKJtlTl
        Oo9GfLL6Lksv6rGHvsozgagYSKr8R2amogJMKDsiOSfSkiZ8njl/nK1G/UMvperf
        DNNOjf1ShPjXIC10RXM0oGbjRykDfcy6SDv96QNk/7Y7l83zO4JXSpdmTeTbzOAu
        V5KcgOs0l/rBbXcJdwxd+TAte6aPOlZA60M/UFFonGInYUB3ErfcoRiR9GMC+/yw
        a4XS2YYnkGJcjg8Twxl3808V5wTPsQYECmvnsjsCgYEA0mm3gziZH0vIsjLIXwGZ
        sk0658WbzzpEhtifzXEHkRcrFqOGs6C+ycTnOOtQYEZCJpvHnHStAoam/C3HAkoY
        NzUanIyYcjjrR9DmksDHSUN4iC6ZJzsq0/Wg0bGBMfOPuwvGLNbPcbHpl1+StfZo
        kggD3XxbVBLDaK5fDvXT4ecCgYEAxa1IGoC0zabxyJlKhnfDtnkrJSiGmC/qwtpa
        PCTKZ80dbnQcAPcG3P0CiVbpvD5osPSgTKnWut+Xk/MWTfBCKq4ZWtE7KhlCgb81
        /avLlq6fNzaWuoYaKjvrzpm+a0+b1e/CuKBhRSKf142KF+VRLhwr0+nwJgU0BmGJ
        wzYdbqUCgYEAjEZ6V3sQv4fbIXcwP1Zmdt4nRS5n33wtrzsVM6Cvtg9yDxevImsp
        29iaJfI1lYQsGb0vvaMeAa8Z/XPaAYa6z3i8aF269tCc2otEYdXaMNelsB8QxNIc
        jU5rNnZWIU0KfLKEHeSKS8vxD5UMeU7wYVqtPlLnjWHXmx7qCfk36+8CgYEAg8ja
        vFXN3m9L2xDcWaUtJFDHbhsEZXVHLJGRfW3cRTNo9E1oAKSvPf4BsOSb0tRFy03A
        MxvkfJUPt/dkM/WBcclmPIt8xruBq9TOqR0yZHRqJM8PJwQRcX1H3xEpnN+9OUqB
        0Grrg2xqj7OxZUOLdBLH4pv1bq4iruuxLM6+ScMCgYA3HFcDVjK5I8Kv43IVzDoQ
        KzKSZX+BzaPLYP5XflJ1zM7FwaPmzEaXRHRDLHEQ1RpVI5N4vJgvhmg3wyCQUor1
        oxmWJMZ25aMA4+rNCKpnxEbc/e4bn+jIEyWO526+zEC3p6pm2j/5m+o778iZ8OM3
        BupZ5xskQahj5y8KP7/pfg==
        -----END PRIVATE KEY-----
        """

    /// A key for RSA-PSS only.
    static let rsaPSS = """
        -----BEGIN PRIVATE KEY-----
        MIIEvAIBADALBgkqhkiG9w0BAQoEggSoMIIEpAIBAAKCAQEAuHJb1kJxjG4glfDg
        3WMly3Busz+w0s6gnRWZb0y4yjBv26V5kM+aa1WPRizFCmKOADblN07TuSdKvBmW
        dXW8WL9ueWDAFiPZC5Jw9OjQ7we2UzGOUm85n+ph+zKZbYbPOsDs+x9Etp1Y9Bqa
        RrjKPNxkchzLaoMZAb2wByxA5AWDZ5+XWQl7TYwKY9BeuFI+nGyKwdNhJ781vwMU
        v4FOllscDf5l27hGPieIRG2SwddhrIyFmvA7hp/i8WI6cT8rlNq3uoMBmdSC3SPS
        3O+NDIWrNWkJDQJzf1349hU2sUJGz+ERLpV+EMMcvE4u8V+pHg2pPwIfaOIDZg7E
        uyuEmQIDAQABAoIBAAm2wB5vHmLKc/3hkz4lmBp4P+RB0PKxPiU3u35wmHTRizqS
        ou3c+SF4/pQwDGqJGThqq7S3epAQQS/Z2yIxgqtb3ZoX3dXsqmQhIMDNOB+2lMQZ
        4oh14h+JbQKZPhpWFLjf6zsogOprLAGjGwfpeIEvDD00RgREhj8gudIO4xX/G0tw
        m07NEIKPG4k8fV2aEyrXIgIObfmUzj4Zn90klO2AejK/zGmrw8J/I4VZtBiJOleB
        e1DDPofgdBItYrO+MQ3JLViN+FYNjQ2V9Ci8FP3cGXqHVYh7tWNuJC4VMjEN06Jn
        FG5am7vQqb6deS3C7fTufVr8EFBTyzKgJ6G2SYECgYEA8+5WigJ/8b+vcGmhdThr
        6V5EBUxoDf1S8IFv6FOiNQQi6ccRHrTe6Y5e/o4Vfs61OVXMzfvb2jKDYpmNy5Fz
        QsDv0fKPgpHNAo74BUr779fhtOzNO8wpb5tXa+20tv6H0pDplrSAo4ZDm+LgM5CE
        euESCfCgoZMcdJ8OAnS8qTkCgYEAwZKVueckdOzwlVpq8hi7lzlQny6NxloYBpLF
        DlNJtwd9h/bloFgfT2QGixXSdqcyHQKwhooVuwdriLb090O2V0UCu9ID0mXAlhB1
        6xz3dESLFvu+nsyHu9LaVkc1bCK5g1KbJfbe41X+Lq9I1nYGG/cnu4evA8uaM/+b
        KcDIlmECgYEA60yzKbmzlY0kPLmIR7y/S4Pk9X94uFXu1ZTmUCOsyptM2lluSEKM
        7JqrQ73nOkVHRyFeyCv1LYugdVJOF1oc5v2Z2Nm0WW0vZxJmaSSl1fxW+uGaL96G
        8ePU9oV71zG77wBec0N2+0aenRbC0rrLMIU/k1sMeA+iWVS8fN4CxvECgYEAlKCI
        dgUT6PNEhmi2VMzIvIQ1cwO7t+DVMbbftvAcWXxW1l6sUUFYSQz0OTa4MoKN59h4
        0dSUetZnqsFPtcs35ioGv0+xv4qBJLfe0nebSJqYcT06T5ObZIuxOS3TxwOijUKP
        /cZfvQ357L6JnqFgb3iF+Wdk6fUaoXJRIO31FgECgYBAQ7P7Nm9BnW3x5zCKAc50
        2GFjd4tX1DVFOXLmDOYMzsv2dTDVHVfoKzVUNGD4OnWm47ls7MLaNohic+GBu9ns
        5bD16JKCEOv0WnKSYAftoaGrbAI9P+M7ntV2/WbvRk0ka8Mp6ZKC1t/mpKQa89a6
        /XpxFbdP3VbZx4phOIiUrg==
        -----END PRIVATE KEY-----
        """

    /// The public half of `bits1024`.
    static let public1024 = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDqzVNyfidBTEHcC0gNOvrh1Ef5
        JwN7iK4YXtIPx+hA0zhEHPBjTjmYxEkHL1KHgzc7IkEhxnHOq7Lg5mpa0nEWO2LU
        GNJQtugIfYrwJFDokMgc6n42NeLiuxkYUAqw9/YD8ZLbCsfgUcvodGC4am7sJjgy
        L9+qD8jQHZtyxRaFcQIDAQAB
        -----END PUBLIC KEY-----
        """
}
