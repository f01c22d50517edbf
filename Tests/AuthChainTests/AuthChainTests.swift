import PresenceModel
import Testing

@testable import AuthChain

struct `An auth chain` {
    private let timestamp = "1790000000000"

    @Test(arguments: [Duration.zero, .minutes(5), .minutes(-5), .seconds(1)])
    func `of a recorded login is its wallet's near its time`(away: Duration) throws {
        let chain = try AuthChain(parsing: RecordedChains.login())
        let signer = try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt + away)
        #expect(signer.checksummed == RecordedChains.address)
    }

    @Test func `of a recorded signed fetch is its wallet's`() throws {
        let chain = try AuthChain(parsing: RecordedChains.signedFetch())
        let signer = try chain.signer(of: "get:/:1790000000000:{}", at: RecordedChains.signedAt)
        #expect(signer.text == RecordedChains.address.lowercased())
    }

    @Test(arguments: [Duration.minutes(5) + .milliseconds(1), .minutes(-5) - .milliseconds(1), .hours(24)])
    func `is stale away from its time`(away: Duration) throws {
        let chain = try AuthChain(parsing: RecordedChains.login())
        #expect(throws: AuthChainError.stale) {
            try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt + away)
        }
    }

    @Test(arguments: ["", "x", "-1790000000000", "+1790000000000", "1790000000000.0", "٣", "17900000000000000"])
    func `needs a time in milliseconds`(text: String) throws {
        let chain = try AuthChain(parsing: RecordedChains.login())
        #expect(throws: AuthChainError.timestamp) {
            try chain.signer(ofTimestamp: text, at: RecordedChains.signedAt)
        }
    }

    @Test func `is the very one that the recorded keys make`() throws {
        let made = try chain(signing: timestamp, until: Instant(millisecondsSinceEpoch: 4_070_908_800_000))
        #expect(try made == AuthChain(parsing: RecordedChains.login()))
        #expect(try AuthChain(parsing: made.text) == made)
    }

    /// Letters of hexadecimal numbers may be of either case; whatever else is changed is refused.
    @Test func `does not survive the change of any byte`() throws {
        let recorded = try AuthChain(parsing: RecordedChains.login())
        for (place, link) in recorded.links.enumerated() {
            for member in [\AuthLink.type, \AuthLink.payload, \AuthLink.signature] {
                for offset in 0..<link[keyPath: member].utf8.count {
                    for replacement in "07aFgx \n\u{0}".utf8 {
                        var bytes = Array(link[keyPath: member].utf8)
                        if bytes[offset] == replacement || bytes[offset] ^ replacement == 0x20 { continue }
                        bytes[offset] = replacement
                        var changed = recorded
                        changed.links[place][keyPath: member] = String(decoding: bytes, as: UTF8.self)
                        #expect(throws: AuthChainError.self, "link \(place), byte \(offset)") {
                            try changed.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt)
                        }
                    }
                }
            }
        }
    }

    @Test func `that was changed at random is nobody's, or still its wallet's`() throws {
        let text = Array(try RecordedChains.login().utf8)
        let untouched = try AuthChain(parsing: RecordedChains.login())
        var generator = SeededGenerator(seed: 6)
        var refused = 0
        for _ in 0..<5000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(text[Int.random(in: 0..<text.count, using: &generator)], at: place)
                }
            }
            do throws(AuthChainError) {
                let chain = try AuthChain(parsing: String(decoding: bytes, as: UTF8.self))
                let signer = try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt)
                #expect(signer.checksummed == RecordedChains.address)
                #expect(chain.links.map(\.folded) == untouched.links.map(\.folded))
            } catch {
                refused += 1
            }
        }
        #expect(refused > 4000)
    }

    @Test func `ends with its ephemeral key`() throws {
        let end = RecordedChains.signedAt + .minutes(1)
        let short = try chain(signing: timestamp, until: end)
        #expect(
            try short.signer(ofTimestamp: timestamp, at: end.advanced(byMilliseconds: -1)).checksummed
                == RecordedChains.address)
        #expect(throws: AuthChainError.expired(place: 1)) { try short.signer(ofTimestamp: timestamp, at: end) }
    }

    @Test func `may hand on twice, or not at all`() throws {
        let (wallet, key) = try keys()
        var generator = SeededGenerator(seed: 1)
        let third = EthereumKey(from: &generator)
        let later = RecordedChains.signedAt + .hours(1)
        var chain = try chain(signing: timestamp, until: later)
        let handedOn = EphemeralPayload(address: third.address, expiration: later).text
        chain.links.insert(
            AuthLink(type: AuthLink.ephemeral, payload: handedOn, signature: key.sign(handedOn).text), at: 2)
        chain.links[3].signature = third.sign(timestamp).text
        #expect(try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt) == wallet.address)
        chain.links.removeSubrange(1...2)
        chain.links[1].signature = wallet.sign(timestamp).text
        #expect(try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt) == wallet.address)
    }

    @Test func `of a contract wallet is refused with a word that says so`() throws {
        for kind in AuthLink.contractKinds {
            var chain = try AuthChain(parsing: RecordedChains.login())
            chain.links[1].type = kind
            let error = #expect(throws: AuthChainError.contractWallet(kind)) {
                try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt)
            }
            #expect(error?.message.contains("contract wallets") == true)
        }
    }

    @Test func `of a wrong shape is refused for what is wrong`() throws {
        let good = try AuthChain(parsing: RecordedChains.login())
        func refusal(_ change: (inout [AuthLink]) -> Void) -> AuthChainError? {
            var links = good.links
            change(&links)
            do throws(AuthChainError) {
                _ = try AuthChain(links: links).signer(ofTimestamp: timestamp, at: RecordedChains.signedAt)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal { $0.removeAll() } == .linkCount)
        #expect(refusal { $0.removeLast(2) } == .linkCount)
        #expect(refusal { $0 += Array(repeating: $0[1], count: 6) } == .linkCount)
        #expect(refusal { $0.removeFirst() } == .signer)
        #expect(refusal { $0.swapAt(0, 1) } == .signer)
        #expect(refusal { $0.insert($0[0], at: 1) } == .signer)
        #expect(refusal { $0[0].signature = $0[1].signature } == .signer)
        #expect(refusal { $0[1].type = "OTHER" } == .unknownKind(place: 1))
        #expect(refusal { $0[1].payload += "\n" } == .ephemeralPayload(place: 1))
        #expect(refusal { $0[1].signature.removeLast() } == .signatureForm(place: 1))
        #expect(refusal { $0[1].signature = $0[2].signature } == .signature(place: 1))
        #expect(refusal { $0.remove(at: 1) } == .signature(place: 1))
        #expect(refusal { $0.removeLast() } == .otherText)
        #expect(refusal { $0.append($0[2]) } == .otherText)
        #expect(refusal { $0[2].payload = "1790000000001" } == .otherText)
        #expect(refusal { $0[0].payload = "0x0000000000000000000000000000000000000001" } == .signature(place: 1))
    }

    @Test func `is read within limits`() throws {
        #expect(throws: AuthChainError.tooLong) {
            try AuthChain(parsing: "[" + String(repeating: " ", count: AuthChain.textLimitBytes) + "]")
        }
        let link = #"{"type":"SIGNER","payload":"","signature":""}"#
        #expect(throws: AuthChainError.linkCount) {
            try AuthChain(parsing: "[" + Array(repeating: link, count: 9).joined(separator: ",") + "]")
        }
        for text in [
            "", "{}", "[1]", "[{}]", #"[{"type":"SIGNER","payload":1,"signature":""}]"#, "[\(link)", "[[[[[]]]]]",
        ] {
            #expect(throws: AuthChainError.malformed, "\(text)") { try AuthChain(parsing: text) }
        }
    }

    /// Both halves of the order, and both ways to write v, are in use.
    @Test func `takes signatures as wallets write them`() throws {
        var chain = try AuthChain(parsing: RecordedChains.login())
        #expect(chain.links[2].signature.hasSuffix("1b"))
        chain.links[2].signature = String(chain.links[2].signature.dropLast(2)) + "00"
        #expect(
            try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt).checksummed
                == RecordedChains.address)
        chain.links[2].signature = try withOtherS(chain.links[2].signature)
        #expect(
            try chain.signer(ofTimestamp: timestamp, at: RecordedChains.signedAt).checksummed
                == RecordedChains.address)
    }

    private func keys() throws -> (wallet: EthereumKey, ephemeral: EthereumKey) {
        (try #require(EthereumKey(RecordedChains.wallet)), try #require(EthereumKey(RecordedChains.ephemeral)))
    }

    private func chain(signing text: String, until expiration: Instant) throws -> AuthChain {
        let (wallet, ephemeral) = try keys()
        return .signing(text, wallet: wallet, ephemeral: ephemeral, expiration: expiration)
    }

    /// The same signature with the order minus s, and the other v.
    private func withOtherS(_ text: String) throws -> String {
        var bytes = try #require(Hexadecimal.decode(text, count: 65))
        let order = try #require(
            Hexadecimal.decode("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", count: 32))
        var borrow = 0
        for place in stride(from: 31, through: 0, by: -1) {
            let difference = Int(order[place]) - Int(bytes[32 + place]) - borrow
            bytes[32 + place] = UInt8((difference + 256) % 256)
            borrow = difference < 0 ? 1 : 0
        }
        bytes[64] ^= 1
        return Hexadecimal.encode(bytes)
    }
}

extension AuthLink {
    /// Without the case of letters.
    fileprivate var folded: [String] { [type, payload.lowercased(), signature.lowercased()] }
}
