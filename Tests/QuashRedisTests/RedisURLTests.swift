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
        #expect("\(url.endpoint)" == endpoint)
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
        #expect(url.endpoint == .tcp(host: "redis.example", port: 6390))
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
        ("unix:/" + String(repeating: "a", count: 107), "107"), ("redis-sentinel://h/mymaster", "Sentinel"),
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
        "redis-sentinel://:SECRET@h", "redis://u:SECRET ä@h", ":SECRET@h", "SECRET",
    ])
    func neverShowsAPassword(_ text: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.description.contains("SEC") == false, "\(error?.description ?? "")")
        #expect(error?.description.contains("RET") == false, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("redis://quash:secret@h:1/2", "redis://quash:***@h:1/2"), ("rediss://:secret@h", "rediss://:***@h:6379/0"),
        ("redis://h", "redis://h:6379/0"), ("redis://quash@h", "redis://quash@h:6379/0"),
        ("unix://u%20v:secret@/a%20b?db=3", "unix://u%20v:***@/a%20b?db=3"), ("unix:/a", "unix:///a"),
    ])
    func describesItselfWithoutItsPassword(_ text: String, _ description: String) throws {
        #expect("\(try RedisURL(text))" == description)
    }
}
