package import QuashJSON

/// The keys whose signatures count (RFC 7517 §5). No two have the same `kid`.
public struct KeySet: Equatable, Sendable {
    /// In the order of the document.
    public let keys: [JSONWebKey]
    /// What was in a parsed document and is not used, for logs.
    public let skipped: [SkippedKey]

    /// - Throws: `JWTError.invalidKeySet` for more than `JWTLimits.maxKeys` keys, or a `kid` that is there twice.
    public init(_ keys: [JSONWebKey]) throws(JWTError) {
        try self.init(keys, skipped: [])
    }

    /// A key set document.
    ///
    /// Keys of other types and for other uses are skipped, as RFC 7517 §5 asks, and so are RSA keys outside
    /// `RSAPolicy`. One that is usable and has no `kid` is named by its thumbprint.
    ///
    /// - Throws: `JWTError.invalidKeySet` if the document is no key set, is larger than `JWTLimits` allow, or names two
    ///   keys alike.
    public init(parsing document: Span<UInt8>) throws(JWTError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: document, maxBytes: JWTLimits.maxKeySetBytes)
        } catch {
            throw .invalidKeySet(problem: error.description)
        }
        guard let members = value["keys"]?.array, members.allSatisfy({ $0.object != nil }) else {
            throw .invalidKeySet(problem: "there is no array of objects named keys")
        }
        guard members.count <= JWTLimits.maxKeys else { throw Self.tooManyKeys(members.count) }
        var keys: [JSONWebKey] = []
        var skipped: [SkippedKey] = []
        for (index, member) in members.enumerated() {
            do throws(SkippedKey) {
                keys.append(try JSONWebKey(member, index: index))
            } catch {
                skipped.append(error)
            }
        }
        try self.init(keys, skipped: skipped)
    }

    private init(_ keys: [JSONWebKey], skipped: [SkippedKey]) throws(JWTError) {
        guard keys.count <= JWTLimits.maxKeys else { throw Self.tooManyKeys(keys.count) }
        for (index, key) in keys.enumerated() {
            guard keys[..<index].allSatisfy({ !$0.keyID.utf8.elementsEqual(key.keyID.utf8) }) else {
                throw .invalidKeySet(problem: "two keys have the kid \(key.keyID.debugDescription)")
            }
        }
        self.keys = keys
        self.skipped = skipped
    }

    /// The document that publishes the keys.
    package var json: JSONValue {
        ["keys": .array(keys.map(\.json))]
    }

    /// The bytes of the document that publishes the keys.
    public func serialized() -> [UInt8] {
        json.serialized()
    }

    private static func tooManyKeys(_ count: Int) -> JWTError {
        .invalidKeySet(problem: "there are \(count) keys; at most \(JWTLimits.maxKeys) are allowed")
    }
}
