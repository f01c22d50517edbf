import ArgumentParser
import FixtureReplay

/// `presence-lab check-signatures`: whether recorded requests between servers are signed, without any network.
struct CheckSignaturesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-signatures", abstract: "Verify the signatures of recorded requests between servers.",
        discussion: "Ends with status 1 if a signature does not verify and the note does not say that it must not.")

    @Argument(help: "Files of recorded exchanges, JSON lines.")
    var files: [String]

    @Option(help: "The keys.json of the recordings.")
    var keys: String

    func run() throws {
        let exchanges = try files.flatMap { try Recording(contentsOf: $0).exchanges }
        var keys = try RecordedKeys(contentsOf: keys)
        keys.takeDocuments(of: exchanges)
        let check = SignatureCheck(keys: keys)
        var counts = (verified: 0, unsigned: 0, refused: 0, undecidable: 0, wrong: 0)
        for exchange in exchanges {
            switch check.verdict(on: exchange) {
            case .verified: counts.verified += 1
            case .unsigned: counts.unsigned += 1
            case .undecidable(let reason):
                counts.undecidable += 1
                print("undecidable: \(exchange.place): \(reason)")
            case .refused(let reason) where exchange.isMeantToBeRefused:
                counts.refused += 1
                print("refused, as it must be: \(exchange.place): \(reason)")
            case .refused(let reason):
                counts.wrong += 1
                print("refused: \(exchange.place): \(reason) \(exchange.note)")
            }
        }
        print(
            "\(exchanges.count) exchanges, \(counts.verified) verified, \(counts.unsigned) unsigned, "
                + "\(counts.refused) refused as they must be, \(counts.undecidable) undecidable, \(counts.wrong) wrong")
        guard counts.wrong == 0 else { throw ExitCode(1) }
    }
}
