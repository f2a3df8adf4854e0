@testable import Quash

/// What is decoded is encoded to the same bytes, also by pages, and once applied it is found.
func fuzzFeed(_ bytes: [UInt8]) throws(BrokenProperty) {
    try fuzzMessage(bytes)
    guard let (revocations, rest) = try? RevocationCodec.decodePrefix(Array(bytes)) else {
        try require((try? RevocationCodec.decode(Array(bytes))) == nil, "decoded whole, refused as a page")
        return
    }
    let whole = bytes.dropLast(rest)
    try require(RevocationCodec.encode(revocations) == Array(whole), "decoded and encoded, other bytes")
    try require((try? RevocationCodec.decode(Array(whole))) == revocations, "decoded whole, other revocations")
    try require(rest == 0 || (try? RevocationCodec.decode(Array(bytes))) == nil, "a cut revocation was not noticed")

    let index = RevocationIndex()
    var writer = index.makeWriter(maxRevocations: revocations.count, clockSkew: .zero)
    do throws(IndexFull) {
        try writer.apply(revocations)
    } catch {
        throw BrokenProperty(description: "\(error)")
    }
    let reader = RevocationIndex.Reader(index)
    for revocation in revocations {
        let issued = revocation.issuedBefore ?? WallInstant(milliseconds: .max)
        try require(reader.revokes(revocation.key, issuedAt: issued), "\(revocation) was applied and is not found")
    }
    try require(writer.count <= revocations.count, "more entries than revocations")
}

private func fuzzMessage(_ bytes: [UInt8]) throws(BrokenProperty) {
    guard let message = FeedMessage(bytes) else { return }
    let position = message.position
    let head = "\(position.epoch) \(position.sequence) \(message.awaitingNodes) \(message.committedMicroseconds) "
    try require(FeedMessage(Array(head.utf8) + message.record) == message, "written again, another message")
}
