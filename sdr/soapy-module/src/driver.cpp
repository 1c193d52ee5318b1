// The device that SoapySDR sees. What it does is in device.rs; here are only SoapySDR's types.

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <SoapySDR/Device.hpp>
#include <SoapySDR/Formats.hpp>
#include <SoapySDR/Logger.hpp>
#include <SoapySDR/Registry.hpp>

#include "farlink-soapy-module/src/bridge.rs.h"

// device.rs has these numbers of its own, since it is built without SoapySDR, too.
static_assert(SOAPY_SDR_END_BURST == 2 && SOAPY_SDR_HAS_TIME == 4, "flags");
static_assert(SOAPY_SDR_TIMEOUT == -1 && SOAPY_SDR_STREAM_ERROR == -2 && SOAPY_SDR_OVERFLOW == -4 &&
                  SOAPY_SDR_NOT_SUPPORTED == -5 && SOAPY_SDR_TIME_ERROR == -6 && SOAPY_SDR_UNDERFLOW == -7,
              "errors");

namespace {

rust::Str view(const std::string &text) { return rust::Str(text.data(), text.size()); }

rust::Vec<farlink::Word> to_words(const SoapySDR::Kwargs &args) {
    rust::Vec<farlink::Word> words;
    for (const auto &arg : args) {
        // Words that are not UTF-8 cannot name a link.
        words.push_back(farlink::Word{rust::String::lossy(arg.first), rust::String::lossy(arg.second)});
    }
    return words;
}

SoapySDR::Kwargs to_kwargs(const rust::Vec<farlink::Word> &words) {
    SoapySDR::Kwargs args;
    for (const auto &word : words) {
        args[std::string(word.key)] = std::string(word.value);
    }
    return args;
}

SoapySDR::RangeList to_ranges(const farlink::Span &span) { return {SoapySDR::Range(span.lowest, span.highest)}; }

struct EndStream {
    bool receives;
    bool cs16;
};

EndStream &of(SoapySDR::Stream *stream) { return *reinterpret_cast<EndStream *>(stream); }

class EndDevice : public SoapySDR::Device {
  public:
    explicit EndDevice(rust::Box<farlink::Device> end) : end_(std::move(end)) {}

    std::string getDriverKey() const override { return "farlink"; }
    std::string getHardwareKey() const override { return std::string(end_->serial()); }
    SoapySDR::Kwargs getHardwareInfo() const override { return to_kwargs(farlink::hardware_info(*end_)); }

    size_t getNumChannels(const int) const override { return 1; }
    bool getFullDuplex(const int, const size_t channel) const override {
        farlink::only_channel(channel);
        return true;
    }

    // Streams

    std::vector<std::string> getStreamFormats(const int, const size_t) const override {
        return {SOAPY_SDR_CF32, SOAPY_SDR_CS16};
    }
    std::string getNativeStreamFormat(const int, const size_t, double &fullScale) const override {
        fullScale = 1.0;
        return SOAPY_SDR_CF32;
    }

    SoapySDR::Stream *setupStream(const int direction, const std::string &format, const std::vector<size_t> &channels,
                                  const SoapySDR::Kwargs &) override {
        for (const auto channel : channels) {
            farlink::only_channel(channel);
        }
        const bool cs16 = farlink::is_cs16(view(format));
        auto &stream = streams_[direction == SOAPY_SDR_RX ? 0 : 1];
        if (stream) {
            farlink::stream_in_use();
        }
        stream.reset(new EndStream{direction == SOAPY_SDR_RX, cs16});
        return reinterpret_cast<SoapySDR::Stream *>(stream.get());
    }
    void closeStream(SoapySDR::Stream *stream) override {
        const bool receives = of(stream).receives;
        streams_[receives ? 0 : 1].reset();
        end_->stop(receives, 0);
    }
    size_t getStreamMTU(SoapySDR::Stream *) const override { return farlink::mtu(); }

    int activateStream(SoapySDR::Stream *stream, const int flags, const long long timeNs,
                       const size_t numElems) override {
        return end_->start(of(stream).receives, flags, timeNs, numElems);
    }
    int deactivateStream(SoapySDR::Stream *stream, const int flags, const long long) override {
        return end_->stop(of(stream).receives, flags);
    }

    int readStream(SoapySDR::Stream *stream, void *const *buffs, const size_t numElems, int &flags, long long &timeNs,
                   const long timeoutUs) override {
        if (!of(stream).receives) {
            return SOAPY_SDR_NOT_SUPPORTED;
        }
        const auto outcome =
            of(stream).cs16
                ? farlink::receive_cs16(*end_, {static_cast<int16_t *>(buffs[0]), 2 * numElems}, timeoutUs)
                : farlink::receive_cf32(*end_, {static_cast<float *>(buffs[0]), 2 * numElems}, timeoutUs);
        return tell(outcome, flags, timeNs);
    }
    int writeStream(SoapySDR::Stream *stream, const void *const *buffs, const size_t numElems, int &flags,
                    const long long timeNs, const long timeoutUs) override {
        if (of(stream).receives) {
            return SOAPY_SDR_NOT_SUPPORTED;
        }
        // A burst may be ended without samples, and then there may be no buffer.
        static const float nothing[1] = {0};
        const void *samples = numElems > 0 ? buffs[0] : nothing;
        const auto outcome =
            of(stream).cs16 ? farlink::transmit_cs16(*end_, {static_cast<const int16_t *>(samples), 2 * numElems},
                                                     flags, timeNs, timeoutUs)
                            : farlink::transmit_cf32(*end_, {static_cast<const float *>(samples), 2 * numElems}, flags,
                                                     timeNs, timeoutUs);
        log(outcome);
        return outcome.result;
    }
    int readStreamStatus(SoapySDR::Stream *stream, size_t &chanMask, int &flags, long long &timeNs,
                         const long timeoutUs) override {
        if (of(stream).receives) {
            return SOAPY_SDR_NOT_SUPPORTED;
        }
        chanMask = 1;
        return tell(farlink::wait_for_event(*end_, timeoutUs), flags, timeNs);
    }

    // Antennas

    std::vector<std::string> listAntennas(const int direction, const size_t) const override {
        return {getAntenna(direction, 0)};
    }
    void setAntenna(const int direction, const size_t channel, const std::string &name) override {
        farlink::only_channel(channel);
        farlink::only_name("antenna", view(name), view(getAntenna(direction, 0)));
    }
    std::string getAntenna(const int direction, const size_t) const override {
        return direction == SOAPY_SDR_RX ? "RX" : "TX";
    }

    // Gain

    std::vector<std::string> listGains(const int, const size_t) const override { return {"AMP"}; }
    void setGain(const int direction, const size_t channel, const double value) override {
        farlink::only_channel(channel);
        end_->amplify(direction == SOAPY_SDR_RX, value);
    }
    void setGain(const int direction, const size_t channel, const std::string &name, const double value) override {
        farlink::only_name("gain", view(name), "AMP");
        setGain(direction, channel, value);
    }
    double getGain(const int direction, const size_t channel) const override {
        farlink::only_channel(channel);
        return end_->gain_db(direction == SOAPY_SDR_RX);
    }
    double getGain(const int direction, const size_t channel, const std::string &name) const override {
        farlink::only_name("gain", view(name), "AMP");
        return getGain(direction, channel);
    }
    SoapySDR::Range getGainRange(const int, const size_t) const override {
        return to_ranges(farlink::gain_range(*end_)).front();
    }
    SoapySDR::Range getGainRange(const int direction, const size_t channel, const std::string &name) const override {
        farlink::only_name("gain", view(name), "AMP");
        return getGainRange(direction, channel);
    }

    // Frequency

    std::vector<std::string> listFrequencies(const int, const size_t) const override { return {"RF"}; }
    void setFrequency(const int direction, const size_t channel, const double frequency,
                      const SoapySDR::Kwargs &) override {
        farlink::only_channel(channel);
        end_->tune(direction == SOAPY_SDR_RX, frequency);
    }
    void setFrequency(const int direction, const size_t channel, const std::string &name, const double frequency,
                      const SoapySDR::Kwargs &args) override {
        farlink::only_name("frequency", view(name), "RF");
        setFrequency(direction, channel, frequency, args);
    }
    double getFrequency(const int direction, const size_t channel) const override {
        farlink::only_channel(channel);
        return end_->frequency_hz(direction == SOAPY_SDR_RX);
    }
    double getFrequency(const int direction, const size_t channel, const std::string &name) const override {
        farlink::only_name("frequency", view(name), "RF");
        return getFrequency(direction, channel);
    }
    SoapySDR::RangeList getFrequencyRange(const int, const size_t) const override {
        return to_ranges(farlink::frequency_range(*end_));
    }
    SoapySDR::RangeList getFrequencyRange(const int direction, const size_t channel,
                                          const std::string &name) const override {
        farlink::only_name("frequency", view(name), "RF");
        return getFrequencyRange(direction, channel);
    }

    // Rate

    void setSampleRate(const int, const size_t channel, const double rate) override {
        farlink::only_channel(channel);
        end_->change_rate(rate);
    }
    double getSampleRate(const int, const size_t channel) const override {
        farlink::only_channel(channel);
        return end_->rate_hz();
    }
    std::vector<double> listSampleRates(const int, const size_t) const override {
        const auto span = farlink::rate_range(*end_);
        return {span.lowest, span.highest};
    }
    SoapySDR::RangeList getSampleRateRange(const int, const size_t) const override {
        return to_ranges(farlink::rate_range(*end_));
    }

    // The band is as wide as the rate, whatever is asked for; what is read back tells.
    void setBandwidth(const int, const size_t channel, const double) override { farlink::only_channel(channel); }
    double getBandwidth(const int direction, const size_t channel) const override {
        return getSampleRate(direction, channel);
    }
    SoapySDR::RangeList getBandwidthRange(const int direction, const size_t channel) const override {
        return getSampleRateRange(direction, channel);
    }

    // Time

    bool hasHardwareTime(const std::string &what) const override { return what.empty(); }
    long long getHardwareTime(const std::string &) const override { return end_->hardware_time(); }
    void setHardwareTime(const long long timeNs, const std::string &) override { end_->set_hardware_time(timeNs); }

    // Sensors

    std::vector<std::string> listSensors() const override { return {"overflows", "underflows", "late"}; }
    SoapySDR::ArgInfo getSensorInfo(const std::string &key) const override {
        end_->read_sensor(view(key));
        SoapySDR::ArgInfo info;
        info.key = key;
        info.name = key;
        info.type = SoapySDR::ArgInfo::INT;
        info.value = "0";
        info.description = "How often since the device was opened";
        return info;
    }
    std::string readSensor(const std::string &key) const override {
        return std::to_string(end_->read_sensor(view(key)));
    }

  private:
    static void log(const farlink::Outcome &outcome) {
        if (!outcome.message.empty()) {
            SoapySDR::log(SOAPY_SDR_ERROR, "farlink: " + std::string(outcome.message));
        }
    }

    static int tell(const farlink::Outcome &outcome, int &flags, long long &timeNs) {
        log(outcome);
        flags = outcome.flags;
        timeNs = outcome.time_ns;
        return outcome.result;
    }

    rust::Box<farlink::Device> end_;
    std::unique_ptr<EndStream> streams_[2];
};

SoapySDR::KwargsList find(const SoapySDR::Kwargs &args) {
    SoapySDR::KwargsList results;
    for (const auto &found : farlink::find(to_words(args))) {
        results.push_back(to_kwargs(found.words));
    }
    return results;
}

SoapySDR::Device *make(const SoapySDR::Kwargs &args) { return new EndDevice(farlink::open(to_words(args))); }

const SoapySDR::Registry registration("farlink", &find, &make, SOAPY_SDR_ABI_VERSION);

} // namespace
