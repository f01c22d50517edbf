import Testing

@testable import AuthChain

struct `The hash of Ethereum` {
    /// The Keccak team's test vectors of the original submission (ShortMsgKAT_256), and what Ethereum is built on: the
    /// hash of nothing, of an empty RLP string, of an event's signature.
    @Test(arguments: [
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("cc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
        ("41fb", "a8eaceda4d47b3281a795ad9e1ea2122b407baf9aabcb9e18b5717b7873537d2"),
        ("80", "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
    ]) func `fits the published vectors`(hex: String, hash: String) throws {
        let bytes = try #require(Hexadecimal.decode("0x" + hex, count: hex.count / 2))
        #expect(Hexadecimal.encode(Keccak256.hash(bytes)) == "0x" + hash)
    }

    @Test func `fits the published vectors of texts`() {
        let vectors = [
            "abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
            "Transfer(address,address,uint256)": "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
            "The quick brown fox jumps over the lazy dog":
                "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
        ]
        for (text, hash) in vectors { #expect(Hexadecimal.encode(Keccak256.hash(text.utf8)) == "0x" + hash) }
    }

    @Test(arguments: [134, 135, 136, 137, 271, 272, 273]) func `differs with every byte around a block`(count: Int) {
        let hash = Keccak256.hash(Array(repeating: 7, count: count))
        #expect(hash.count == 32)
        for place in 0..<count {
            var bytes = [UInt8](repeating: 7, count: count)
            bytes[place] = 8
            #expect(Keccak256.hash(bytes) != hash, "byte \(place)")
        }
    }
}

struct `An address` {
    /// EIP-55's own examples.
    @Test(arguments: [
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ]) func `is spelled with its checksum, and read in every case`(text: String) throws {
        let address = try #require(EthereumAddress(text))
        #expect(address.checksummed == text)
        #expect(address.text == text.lowercased())
        #expect(EthereumAddress("0x" + text.dropFirst(2).uppercased()) == address)
    }

    @Test(arguments: [
        "", "0x", "52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886E0F7030069857D2E4169EE",
        "0x52908400098527886E0F7030069857D2E4169EE77", "0x52908400098527886E0F7030069857D2E4169EEg",
        "0X52908400098527886E0F7030069857D2E4169EE7", "@0x52908400098527886E0F7030069857D2E4169EE7",
    ]) func `of another form is none`(text: String) { #expect(EthereumAddress(text) == nil) }
}
