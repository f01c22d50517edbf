import Foundation
import MatrixWire
import PresenceModel
import Testing

@testable import AuthChain

struct `An ephemeral identity` {
    private let now = RecordedChains.signedAt
    private let end = Instant(millisecondsSinceEpoch: 4_070_908_800_000)

    private func links() throws -> [AuthLink] { Array(try AuthChain(parsing: RecordedChains.login()).links.dropLast()) }

    private func text(_ links: [AuthLink], key: String = RecordedChains.ephemeral) -> String {
        #"{"auth_chain":\#(AuthChain(links: links).text),"ephemeral_private_key":"\#(key)"}"#
    }

    private func refusal(_ text: String, at instant: Instant? = nil) -> AuthChainError? {
        do throws(AuthChainError) {
            _ = try EphemeralIdentity(parsing: text, at: instant ?? now)
            return nil
        } catch {
            return error
        }
    }

    @Test func `is read, and signs as its wallet`() throws {
        let identity = try EphemeralIdentity(parsing: text(links()), at: now)
        #expect(identity.address.checksummed == RecordedChains.address)
        #expect(identity.expiration == end)
        #expect(try identity.signing("1790000000000") == AuthChain(parsing: RecordedChains.login()))
    }

    @Test func `is read as the explorer's web client keeps it`() throws {
        let chain = AuthChain(links: try links()).text
        let kept =
            #"{"ephemeralIdentity":{"address":"0x0","publicKey":"0x0","privateKey":"\#(RecordedChains.ephemeral)"},"#
            + #""expiration":"2000-01-01T00:00:00.000Z","authChain":\#(chain)}"#
        // When it expires is told by what was signed.
        #expect(try EphemeralIdentity(parsing: kept, at: now).expiration == end)
    }

    @Test func `is verified to its last byte`() throws {
        let good = try links()
        #expect(refusal(text(good)) == nil)
        #expect(refusal("") == .identity)
        #expect(refusal("[]") == .identity)
        #expect(refusal(#"{"auth_chain":[]}"#) == .identity)
        #expect(refusal(#"{"auth_chain":7,"ephemeral_private_key":"\#(RecordedChains.ephemeral)"}"#) == .malformed)
        #expect(refusal(text([])) == .linkCount)
        #expect(refusal(text(good, key: "0x11")) == .key)
        #expect(refusal(text(good, key: "0x" + String(repeating: "0", count: 64))) == .key)
        #expect(refusal(text(good, key: RecordedChains.wallet)) == .otherKey)
        #expect(refusal(text(good), at: end) == .expired(place: 1))
        #expect(refusal(String(repeating: " ", count: 20_000)) == .tooLong)
        // The wallet's own key is nothing to hand over.
        #expect(refusal(text([good[0]], key: RecordedChains.wallet)) == .linkCount)
        // A chain that signs something already cannot sign more.
        #expect(refusal(text(try AuthChain(parsing: RecordedChains.login()).links)) == .otherText)
        var other = good
        other[0].payload = "0x0000000000000000000000000000000000000001"
        #expect(refusal(text(other)) == .signature(place: 1))
        var contract = good
        contract[1].type = "ECDSA_EIP_1654_EPHEMERAL"
        #expect(refusal(text(contract)) == .contractWallet("ECDSA_EIP_1654_EPHEMERAL"))
        #expect(refusal(text(Array(repeating: good[1], count: 8))) == .linkCount)
    }

    @Test func `shows no secret`() throws {
        let identity = try EphemeralIdentity(parsing: text(links()), at: now)
        var dumped = ""
        dump(identity, to: &dumped)
        let signature = try links()[1].signature.prefix(20)
        for words in ["\(identity)", String(reflecting: identity), dumped, "\([identity])", "\(identity.key)"] {
            #expect(!words.contains("1111111111") && !words.contains(signature), "\(words)")
        }
        var key = ""
        dump(identity.key, to: &key)
        #expect(!key.contains("17"), "\(key)")
    }

    @Test func `opens the production service with the very message that was recorded`() throws {
        let identity = try EphemeralIdentity(parsing: text(links()), at: now)
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/DclRpc/ts-ts/social_prod.jsonl")
        let line = try #require(String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst().first)
        let hex = try #require(try JSONParser.strict.parse(Array(line.utf8)).value["hex"]?.string)
        let bytes = stride(from: 0, to: hex.count, by: 2).map { place -> UInt8 in
            UInt8(hex.dropFirst(place).prefix(2), radix: 16) ?? 0
        }
        #expect(SignedFetch(opening: identity, at: now).message == String(decoding: bytes, as: UTF8.self))
    }
}
