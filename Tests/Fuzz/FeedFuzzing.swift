@testable import Quash

/// What is decoded is encoded to the same bytes but for what only issuers read, also by pages, and once applied it is
/// found.
func fuzzFeed(_ bytes: [UInt8]) throws(BrokenProperty) {
    try fuzzMessage(bytes)
    guard let (revocations, rest) = try? RevocationCodec.decodePrefix(Array(bytes)) else {
        try require((try? RevocationCodec.decode(Array(bytes))) == nil, "decoded whole, refused as a page")
        return
    }
    let whole = bytes.dropLast(rest)
    let again = RevocationCodec.encode(revocations)
    try require(again.count < whole.count || again == Array(whole), "decoded and encoded, other bytes")
    try require((try? RevocationCodec.decode(again)) == revocations, "decoded and encoded, other revocations")
    try fuzzEntries(Array(whole), revocations)
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

/// An issuer reads the same revocations as a validator, and takes nothing for genuine that nobody sealed.
private func fuzzEntries(_ bytes: [UInt8], _ revocations: [Revocation]) throws(BrokenProperty) {
    let seal = FeedSeal(current: Array("secret".utf8))
    guard let entries = try? FeedEntry.decode(bytes, seal: seal) else {
        throw BrokenProperty(description: "decoded, refused as entries")
    }
    try require(entries.map(\.revocation) == revocations, "as entries, other revocations")
    try require(entries.allSatisfy { !$0.isGenuine }, "an entry that nobody sealed is genuine")
    var sealed: [UInt8] = []
    let encoder = FeedEncoder(layout: .second, seal: seal)
    for entry in entries { encoder.encode(entry.revocation, end: entry.end, into: &sealed) }
    guard let read = try? FeedEntry.decode(sealed, seal: seal) else {
        throw BrokenProperty(description: "sealed, refused")
    }
    try require(read.allSatisfy(\.isGenuine), "a sealed entry is not genuine")
    try require(read.map(\.revocation) == revocations, "sealed, other revocations")
    try require(read.map(\.end) == entries.map(\.end), "sealed, other ends")
}

private func fuzzMessage(_ bytes: [UInt8]) throws(BrokenProperty) {
    guard let message = FeedMessage(bytes) else { return }
    let position = message.position
    let head = "\(position.epoch) \(position.sequence) \(message.awaitingNodes) \(message.committedMicroseconds) "
    try require(FeedMessage(Array(head.utf8) + message.record) == message, "written again, another message")
}
