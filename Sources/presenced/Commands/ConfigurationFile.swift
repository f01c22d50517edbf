import ArgumentParser
import Foundation

/// The configuration that a command works with.
enum ConfigurationFile {
    /// Reads the file, or takes the defaults where none is named. Prints what is wrong and ends with status 1.
    static func load(_ path: String?) throws -> ServerConfiguration {
        guard let path else { return ServerConfiguration() }
        return try read(path).configuration
    }

    static func read(_ path: String) throws -> ConfigurationReading {
        do throws(ConfigurationError) {
            return try ConfigurationReader.read(file: path)
        } catch {
            complain("\(error)")
            throw ExitCode.failure
        }
    }

    /// One line on standard error.
    static func complain(_ line: String) {
        FileHandle.standardError.write(Data("\(line)\n".utf8))
    }
}
