import ArgumentParser
import MatrixFederation

/// `presenced generate-key`: makes a signing key in Synapse's file format.
struct GenerateKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-key", abstract: "Make a signing key.",
        discussion: "Without --output the line for the key file is printed. A file that exists is never overwritten.")

    @Option(name: .shortAndLong, help: "The file to write, readable by its owner alone.")
    var output: String?

    func run() throws {
        guard let output else {
            print(SigningKey.generate().line, terminator: "")
            return
        }
        do {
            let key = try SigningKey.create(path: output)
            print("\(output): \(key.id)")
        } catch let error as SigningKeyFileError {
            ConfigurationFile.complain("\(error)")
            throw ExitCode.failure
        }
    }
}
