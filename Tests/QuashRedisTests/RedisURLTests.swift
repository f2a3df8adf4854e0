import QuashLoop
import Testing

@testable import QuashRedis

@Suite struct RedisURLTests {
    @Test(arguments: [
        ("redis://127.0.0.1:6379/0", "127.0.0.1:6379", 0),
        ("redis://localhost", "localhost:6379", 0),
        ("redis://localhost/", "localhost:6379", 0),
        ("REDIS://localhost:7000/15", "localhost:7000", 15),
        ("redis://[::1]", "[::1]:6379", 0),
        ("redis://[2001:db8::1]:6380/3", "[2001:db8::1]:6380", 3),
        ("unix:///run/redis.sock", "unix:/run/redis.sock", 0),
        ("unix:/run/redis.sock?db=4", "unix:/run/redis.sock", 4),
        ("unix:///tmp/a%20b?db=0", "unix:/tmp/a b", 0),
    ])
    func readsAnAddress(_ text: String, _ endpoint: String, _ database: Int) throws {
        let url = try RedisURL(text)
        #expect("\(url.location)" == endpoint)
        #expect(url.database == database)
        #expect(url.user == nil && url.password == nil && !url.usesTLS)
    }

    @Test(arguments: [
        ("redis://:secret@h", nil, "secret"),
        ("redis://quash:secret@h", "quash", "secret"),
        ("redis://quash@h", "quash", nil),
        ("redis://qu%3Aash:p%40ss%2Fw%3Ard%25@h:1", "qu:ash", "p@ss/w:rd%"),
        ("redis://quash:a:b@h", "quash", "a:b"),
        ("redis://quash:a@b@h", "quash", "a@b"),
        ("redis://:@h", nil, nil),
        ("redis://quash:p%C3%A4ss@h", "quash", "päss"),
        ("unix://quash:secret@/run/redis.sock", "quash", "secret"),
    ])
    func readsCredentials(_ text: String, _ user: String?, _ password: String?) throws {
        let url = try RedisURL(text)
        #expect(url.user == user)
        #expect(url.password == password)
    }

    @Test func readsTLS() throws {
        let url = try RedisURL("rediss://redis.example:6390")
        #expect(url.usesTLS)
        #expect(url.location == .server(.tcp(host: "redis.example", port: 6390)))
    }

    @Test(arguments: [
        ("", "no scheme"), ("localhost:6379", "scheme"), ("http://h", "scheme"), ("redis:h", "//"),
        ("redis://", "no host"), ("redis:///0", "no host"), ("redis://u:p@", "no host"), ("redis://h:x", "port"),
        ("redis://h:", "port"), ("redis://h:65536", "port"), ("redis://h:0", "port"), ("redis://::1", "host or port"),
        ("redis://[::1", "host or port"), ("redis://h/x", "database"), ("redis://h/-1", "database"),
        ("redis://h/99999", "database"), ("redis://h/0/1", "database"), ("redis://h?db=1", "query"),
        ("redis://h/0#x", "fragment"), ("redis://h y", "percent-encoded"), ("redis://:%zz@h", "percent"),
        ("redis://:%4@h", "percent"), ("redis://:%00@h", "percent"), ("redis://:%+1@h", "percent"),
        ("redis://:%ff@h", "UTF-8"), ("unix:run", "slash"),
        ("unix://", "slash"), ("unix://host/run", "no host"), ("unix:/a?password=b", "query"),
        ("unix:/a?db=1&db=2", "query"), ("unix:/a?db=", "database"),
        ("unix:/" + String(repeating: "a", count: 107), "107"),
    ])
    func refuses(_ text: String, _ reason: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test(arguments: [
        "redis://user:SECRET@h:x", "redis://:SECRET@h/x", "redis://user:SEC/RET@h", "redis://u:SEC@RET@h:x",
        "redis://:SECRET", "redis://h:SECRET", "http://u:SECRET@h", "redis:u:SECRET@h", "redis://u:SECRET%zz@h",
        "unix:/a?password=SECRET", "unix://u:SECRET@h/a", "redis://h/0?password=SECRET", "redis://h/0#SECRET",
        "redis-sentinel://:SECRET@h", "redis-sentinel://u:SECRET@h,:1/m", "redis-sentinel://u:26379,SECRET",
        "redis-sentinel://h,i:SECRET/m", "redis-sentinel://h/m?password=SECRET", "redis://u:SECRET ä@h", ":SECRET@h",
        "SECRET",
    ])
    func neverShowsAPassword(_ text: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.description.contains("SEC") == false, "\(error?.description ?? "")")
        #expect(error?.description.contains("RET") == false, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("redis://quash:secret@h:1/2", "redis://quash:***@h:1/2"), ("rediss://:secret@h", "rediss://:***@h:6379/0"),
        ("redis://h", "redis://h:6379/0"), ("redis://quash@h", "redis://quash@h:6379/0"),
        ("redis-sentinel://quash:secret@h,i:1/m/2", "redis-sentinel://quash:***@h:26379,i:1/m/2"),
        ("REDISS-SENTINEL://[::1]/m", "rediss-sentinel://[::1]:26379/m/0"),
        ("unix://u%20v:secret@/a%20b?db=3", "unix://u%20v:***@/a%20b?db=3"), ("unix:/a", "unix:///a"),
    ])
    func describesItselfWithoutItsPassword(_ text: String, _ description: String) throws {
        #expect("\(try RedisURL(text))" == description)
    }
}

/// `redis-sentinel://`: several addresses, the name of the master, and only then the database.
@Suite struct RedisSentinelURLTests {
    @Test(arguments: [
        ("redis-sentinel://h/mymaster", ["h:26379"], "mymaster", 0),
        ("redis-sentinel://h:1/mymaster/", ["h:1"], "mymaster", 0),
        (
            "redis-sentinel://a,b:5000,[::1],[2001:db8::1]:7/My-master_2.0/3",
            ["a:26379", "b:5000", "[::1]:26379", "[2001:db8::1]:7"], "My-master_2.0", 3
        ),
        ("Redis-Sentinel://10.0.0.1,10.0.0.2/m/15", ["10.0.0.1:26379", "10.0.0.2:26379"], "m", 15),
    ])
    func readsSentinelsAndAMaster(_ text: String, _ sentinels: [String], _ name: String, _ database: Int) throws {
        let url = try RedisURL(text)
        #expect(url.location == .master(name: name, sentinels: try sentinels.map { try Endpoint($0) }))
        #expect(url.database == database && !url.usesTLS && url.user == nil && url.password == nil)
    }

    @Test func readsTheCredentialsOfTheRedis() throws {
        let both = try RedisURL("redis-sentinel://qu%2Cash:a,b@h,i/m")
        #expect(both.user == "qu,ash" && both.password == "a,b")
        #expect(both.location == .master(name: "m", sentinels: [try Endpoint("h:26379"), try Endpoint("i:26379")]))
        let password = try RedisURL("redis-sentinel://:p%40ss@h/m")
        #expect(password.user == nil && password.password == "p@ss")
        #expect(try RedisURL("rediss-sentinel://h/m").usesTLS)
    }

    @Test(arguments: [
        ("redis-sentinel:h/m", "//"), ("redis-sentinel://", "no host"), ("redis-sentinel:///m", "no host"),
        ("redis-sentinel://u:p@/m", "no host"), ("redis-sentinel://a,/m", "comma"), ("redis-sentinel://,a/m", "comma"),
        ("redis-sentinel://a,,b/m", "comma"), ("redis-sentinel://a,b:x/m", "host or port"),
        ("redis-sentinel://a:1:2/m", "host or port"), ("redis-sentinel://a,unix:/run/s/m", "host or port"),
        ("redis-sentinel://a:65536/m", "host or port"), ("redis-sentinel://a,b:0/m", "port is 0"),
        ("redis-sentinel://a,b,a:26379/m", "a:26379 twice"), ("redis-sentinel://h", "names no master"),
        ("redis-sentinel://h/", "names no master"), ("redis-sentinel://h//0", "names no master"),
        ("redis-sentinel://h/my%20master", "letters, digits"), ("redis-sentinel://h/a:b", "letters, digits"),
        ("redis-sentinel://h/" + String(repeating: "m", count: 129), "1 to 128"),
        ("redis-sentinel://h/m/x", "database"), ("redis-sentinel://h/m/0/1", "database"),
        ("redis-sentinel://h/m/70000", "database"), ("redis-sentinel://h/m?db=1", "/mymaster/0"),
        ("redis-sentinel://h/m#x", "fragment"), ("redis-sentinel://h h/m", "percent-encoded"),
        ("redis-sentinel://" + (0..<17).map { "h\($0)" }.joined(separator: ",") + "/m", "more than 16"),
    ])
    func refuses(_ text: String, _ reason: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test func tellsHowSuchAURLIsWritten() {
        #expect(RedisURL.form(of: "redis-sentinel://h").hasSuffix("[,host[:port]...]/master-name[/database]"))
        #expect(RedisURL.form(of: "Rediss-Sentinel://h").hasPrefix("rediss-sentinel://"))
        #expect(RedisURL.form(of: "redis:h") == "redis://[[user]:password@]host[:port][/database]")
        #expect(RedisURL.form(of: "nothing").hasPrefix("redis://"))
    }
}
