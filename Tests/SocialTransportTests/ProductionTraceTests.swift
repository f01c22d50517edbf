import AuthChain
import Foundation
import PresenceModel
import SocialClient
import SocialEngine
import SocialTransport
import SocialWire
import Testing

/// The recorded session with the production service, our client in the place of the recorded one: with its first frame.
@Suite(.timeLimit(.minutes(2))) struct `A client of the production service, in the place of the recorded one` {
    private let signedAt = Instant(millisecondsSinceEpoch: 1_790_000_000_000)

    private func identity() throws -> EphemeralIdentity {
        let wallet = try #require(
            EthereumKey("0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"))
        let ephemeral = try #require(EthereumKey("0x" + String(repeating: "11", count: 32)))
        let end = Instant(millisecondsSinceEpoch: 4_070_908_800_000)
        let chain = AuthChain.signing("", wallet: wallet, ephemeral: ephemeral, expiration: end)
        return try EphemeralIdentity(links: Array(chain.links.dropLast()), key: ephemeral, at: signedAt)
    }

    @Test func `says the same, and understands what it is told`() async throws {
        let recording = try Recording.read("ts-ts/social_prod.jsonl")
        let (results, result) = AsyncStream.makeStream(of: String.self)
        let (port, listener) = try await PlainSocket.listen { socket in
            try await socket.accept()
            result.yield(await play(recording, on: socket))
            _ = await socket.closing()
            socket.close()
        }
        var configuration = ProductionClient.Configuration(url: "ws://127.0.0.1:\(port)/")
        configuration.friendsPerPage = 50
        let profiles = SocialProfiles()
        let identity = try identity()
        let client = try await ProductionClient.connect(
            configuration, opening: { [signedAt] in SignedFetch(opening: identity, at: signedAt).message },
            profiles: profiles, now: { [signedAt] in signedAt })
        let bob = try SocialAddress(parsing: "0xbbbb000000000000000000000000000000000002")
        let friends = try await client.friends()
        #expect(friends.elements == [bob] && friends.total == 1)
        #expect(profiles.name(of: bob) == "Bob")
        #expect(try await client.blockedAddresses().map(\.text) == ["0x01"])
        var seen: [FriendSighting] = []
        let error = await #expect(throws: SocialClientError.self) {
            for try await sighting in try await client.connectivityUpdates() { seen.append(sighting) }
        }
        #expect(seen.map(\.state) == [.online, .offline] && seen.allSatisfy { $0.friend == bob })
        // A second subscription, says the service: its last word.
        #expect(error?.code == .refused)
        var iterator = results.makeAsyncIterator()
        #expect(await iterator.next() == "")
        await client.close()
        try await listener.close()
    }

    /// The server's frames, each when the client's before it have come. - Returns: what was wrong.
    @Sendable private func play(_ recording: Recording, on socket: PlainSocket) async -> String {
        do {
            for (place, line) in recording.lines.enumerated() {
                guard line.isFromClient else {
                    try await socket.send(line.bytes)
                    continue
                }
                // The last ack asks for what comes behind the last word, which our client does not.
                guard place < recording.lines.count - 2 else { break }
                guard let frame = await socket.frame() else { return "\(place + 1): closed before that" }
                guard frame.payload == line.bytes, frame.opcode == (place == 0 ? 1 : 2) else {
                    return "\(place + 1): \(frame.payload)"
                }
            }
        } catch {
            return "\(error)"
        }
        return ""
    }
}
